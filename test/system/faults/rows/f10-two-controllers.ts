import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { freePorts, projectRoot } from '../../../../bench/system/packages.ts'
import type { Fault } from '../fault.ts'
import { boundOf } from '../support/bound.ts'
import { lossWords } from '../support/losses.ts'
import { more } from '../support/subject.ts'

/** The start of Node and a look at the lock. */
const REFUSED_MS = 2000

export const twoControllers: Fault = {
  id: 'F10',
  name: 'a second controller is started',
  injected:
    'a second controller, and a second up, on the same data; then kill -9 of the first controller, its lock left behind',
  expected:
    'both are refused and say why, and change nothing, the controller within 2 s (or 12 starts of a bare Node, where the machine is busy); the lock of a killed one does not block; nothing is lost',
  async run(trial) {
    const subject = await trial.subject()
    await subject.deployed({ version: '1.0.0', instances: 2 })
    const load = await subject.load()
    const { data } = subject.system
    const folders = ['--data', data, '--admin', `127.0.0.1:${await freePorts(1)}`]
    const began = performance.now()
    const controller = await runRefused(['controller', ...folders, '--run', join(data, 'run')])
    const refusedMs = Math.round(performance.now() - began)
    const boundMs = await boundOf(REFUSED_MS)
    trial.check(`it is refused within ${boundMs} ms`, refusedMs < boundMs)
    const up = await runRefused(['up', ...folders])
    trial.check('a second controller is refused', controller.code !== 0 && controller.said !== '')
    trial.check('a second up is refused', up.code !== 0 && /already/.test(up.said))
    await more(load)
    await subject.killPart('controller')
    await more(load)
    const losses = await load.finish()
    trial.check('nothing was lost', losses.answered === losses.requests)
    const [, code = 'no code'] = /"code":"(\w+)"/.exec(controller.said) ?? []
    return {
      seen: `exit ${controller.code} (${code}) after ${refusedMs} ms and ${up.code}; ${lossWords(losses)}`,
      losses,
    }
  },
}

async function runRefused(words: readonly string[]): Promise<{ code: number | null; said: string }> {
  const main = join(projectRoot(), 'dist', 'src', 'cli', 'main.js')
  const child = spawn(process.execPath, [main, ...words], { stdio: ['ignore', 'pipe', 'pipe'], timeout: 60_000 })
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (said += text))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, said }
}
