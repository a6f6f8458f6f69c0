import { execFile, spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { smallPackage, startSystem } from './support/system.ts'

const run = promisify(execFile)
const absent = ['h2load', 'curl'].find(tool => spawnSync(tool, ['--version']).status !== 0)
const skip = absent === undefined ? false : `no ${absent} here`

function http2Package(t: Test, version: string): string {
  const folder = smallPackage(t, { version, instances: 2 })
  const file = join(folder, 'service.yaml')
  writeFileSync(file, readFileSync(file, 'utf8').replace('port: 0', 'port: 0, http2: true'))
  return folder
}

t.test('h2load and curl, by HTTP/2, count no error over swaps and an upgrade', { skip }, async t => {
  const system = await startSystem(t)
  const packages = [http2Package(t, '1.0.0'), http2Package(t, '2.0.0')] as const
  const vipswap = async (...words: string[]): Promise<void> => {
    const { code, stderr } = await system.cli(...words)
    t.equal(code, 0, stderr)
  }
  await vipswap('deploy', packages[0])
  await vipswap('deploy', packages[1], '--slot', 'staging')
  const url = `${await system.url('small', 'production')}/`
  let done = false
  const asked: string[] = []
  const curling = (async () => {
    while (!done) {
      const { stdout } = await run('curl', [
        '-sS',
        '--http2-prior-knowledge',
        '-w',
        '%{http_version} %{http_code}',
        url,
      ])
      asked.push(stdout)
    }
  })()
  const loading = (async () => {
    const results: string[] = []
    while (!done) results.push((await run('h2load', ['-n', '2000', '-c', '8', '-m', '8', url])).stdout)
    return results
  })()
  await vipswap('swap')
  await vipswap('upgrade', packages[0], '--mode', 'auto')
  await vipswap('swap')
  done = true
  const results = await loading
  await curling
  t.ok(results.length > 0)
  for (const result of results) {
    t.match(result, /2000 succeeded, 0 failed, 0 errored, 0 timeout/)
    t.match(result, /2000 2xx/)
  }
  t.same(
    asked.filter(answer => !/^[12]\.0\.0\n2 200$/.test(answer)),
    [],
  )
  // Both slots have it in the end.
  t.match(asked.at(-1), /^1\.0\.0/)
})
