import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { identify, readProcess } from '../../../src/core/process-identity.ts'
import { HookProcesses } from '../../../src/controller/tasks/hook-processes.ts'
import { tempDir } from '../../support/temp.ts'
import { until } from '../../support/until.ts'

const DRIVER = fileURLToPath(new URL('hook-driver.js', import.meta.url))

/** A hook that its controller left when it was killed; answers its pid. */
async function leftBehind(t: Test, directory: string, onTerm: string): Promise<number> {
  const said = join(tempDir(t), 'pid')
  const script = `process.on('SIGTERM', () => { ${onTerm} })
setInterval(() => {}, 1000)
require('node:fs').writeFileSync(${JSON.stringify(`${said}.new`)}, String(process.pid))
require('node:fs').renameSync(${JSON.stringify(`${said}.new`)}, ${JSON.stringify(said)})`
  const driver = spawn(process.execPath, [DRIVER, directory, script], { env: {}, stdio: 'inherit' })
  await until('the hook runs', () => existsSync(said), { timeoutMs: 20_000 })
  driver.kill('SIGKILL')
  await once(driver, 'exit')
  return Number(readFileSync(said, 'utf8'))
}

const isAlive = (pid: number): boolean => readProcess(pid)?.alive === true

t.test('what a killed controller left running is ended by the next, and waited for', async t => {
  const directory = join(tempDir(t), 'hooks')
  const ended = join(tempDir(t), 'ended')
  const orderly = `setTimeout(() => { require('node:fs').writeFileSync(${JSON.stringify(ended)}, ''); process.exit() }, 200)`
  const [first, deaf] = [await leftBehind(t, directory, orderly), await leftBehind(t, directory, '')]
  t.ok(isAlive(first) && isAlive(deaf))
  t.same(new Set(await new HookProcesses(directory).endLeft()), new Set([first, deaf]))
  t.notOk(isAlive(first) || isAlive(deaf))
  t.ok(existsSync(ended), 'it was let end in its own way')
  t.strictSame(readdirSync(directory), [])
  t.strictSame(await new HookProcesses(directory).endLeft(), [])
})

t.test('a process that has the pid of one that is gone is left alone', async t => {
  const directory = join(tempDir(t), 'hooks')
  const stranger = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { detached: true, stdio: 'ignore' })
  t.teardown(() => stranger.kill('SIGKILL'))
  const { pid = 0 } = stranger
  mkdirSync(directory)
  for (const [name, over] of Object.entries({ [pid]: { startTime: '1' }, [`${pid}0`]: { bootId: 'another' } }))
    writeFileSync(join(directory, `${name}.json`), JSON.stringify({ ...identify(pid), ...over }))
  writeFileSync(join(directory, 'torn.json'), '{')
  t.strictSame(await new HookProcesses(directory).endLeft(), [])
  t.ok(isAlive(pid))
  t.strictSame(readdirSync(directory), [])
})
