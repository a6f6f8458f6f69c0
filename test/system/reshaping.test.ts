import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { freePorts } from '../../bench/system/packages.ts'
import { startSteadyLoad } from './support/steady-load.ts'
import { smallPackage, startSystem, type System } from './support/system.ts'

/** Answers its version on each of its ports. */
const SERVER = `
const http = require('node:http')
const ports = Object.entries(process.env).filter(([name]) => name.startsWith('PORT_')).map(([, port]) => port)
const servers = ports.map(port => http.createServer((_, response) => response.end(process.env.ROLE_VERSION + '\\n')).listen(port, process.env.HOST))
process.on('SIGTERM', () => {
  for (const server of servers) {
    server.close()
    server.closeIdleConnections()
  }
  setTimeout(() => process.exit(0), 200).unref()
})
if (ports.length === 0) setInterval(() => {}, 1000)
`

function pack(t: Test, version: string, edit: (definition: string) => string): string {
  const folder = smallPackage(t, { version, instances: 2, server: SERVER })
  const file = join(folder, 'service.yaml')
  writeFileSync(file, edit(readFileSync(file, 'utf8')))
  return folder
}

async function ends(system: System, code: number, said: RegExp, ...words: string[]): Promise<void> {
  const outcome = await system.cli(...words)
  t.equal(outcome.code, code, `vipswap ${words.join(' ')}: ${outcome.stderr}`)
  t.match(outcome.stdout + outcome.stderr, said)
}

/** On a connection of its own. */
const status = async (port: number): Promise<number> =>
  (await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } })).status

t.test('roles and endpoints come and go in place, under load, and cores are counted', async t => {
  const [http, more, side] = [await freePorts(2), await freePorts(2), await freePorts(2)]
  const system = await startSystem(t, {
    config: 'sizes: { S: { cores: 1 }, L: { cores: 2 } }\nquota: { cores: 8 }\n',
  })
  const first = pack(
    t,
    '1.0.0',
    text =>
      `${text.replace(/port: 0/, `port: ${http}`)}    size: S\n  old:\n    command: node server.js\n    instances: 2\n    size: S\n`,
  )
  const second = pack(
    t,
    '2.0.0',
    text =>
      `${text.replace(/( +)http: .*\n/, `$1http: { protocol: http, port: ${http} }\n$1more: { protocol: http, port: ${more} }\n`)}    size: S\n  side:\n    command: node server.js\n    instances: 2\n    endpoints:\n      side: { port: ${side} }\n`,
  )
  await ends(system, 0, /succeeded/, 'deploy', first)
  const load = startSteadyLoad(`http://127.0.0.1:${http}/`)
  await ends(system, 1, /role old: it is removed.*--force/, 'upgrade', second, '--mode', 'auto')
  await ends(system, 2, /old +removed.*side +added/s, 'plan', 'upgrade', second, '--mode', 'auto', '--force')
  await ends(system, 0, /succeeded/, 'upgrade', second, '--mode', 'manual', '--force')
  t.equal(await status(more), 503, 'an added endpoint listens before an instance has it')
  t.equal(await status(more + 1), 503, 'on both VIPs')
  await ends(system, 0, /succeeded/, 'walk')
  t.equal(await status(more), 200)
  t.equal(await status(side), 200)
  const roles = async () => (await system.client.deployment('small', 'production')).roles.map(({ name }) => name)
  await ends(system, 0, /succeeded/, 'upgrade', first, '--mode', 'auto')
  await t.rejects(status(more), 'what neither end of the walk that took its place has is closed')
  await t.rejects(status(side))
  t.strictSame(await roles(), ['old', 'web'])
  await ends(system, 0, /succeeded/, 'upgrade', second, '--mode', 'manual', '--force')
  await ends(system, 0, /succeeded/, 'walk')
  t.equal(await status(side), 200)
  await ends(system, 0, /succeeded/, 'rollback')
  await t.rejects(status(more), 'a rollback closes it')
  t.strictSame(await roles(), ['old', 'web'])
  await ends(system, 0, /succeeded/, 'upgrade', second, '--mode', 'auto', '--force')
  t.strictSame(await roles(), ['side', 'web'])
  t.equal(await status(more), 200)
  await ends(system, 1, /6 cores more are asked for, 4 of the quota of 8 are in use/, 'scale', 'side=8')
  const { ok, failures } = await load.stop()
  t.ok(ok > 0)
  t.strictSame([...failures], [], `${ok} answered`)
  t.comment(`${ok} requests answered, 0 failed`)
})
