import t, { type Test } from 'tap'
import type { OperationView } from '../../src/contracts/api.ts'
import { probedServer } from './support/probed-server.ts'
import { smallPackage, startSystem, type System } from './support/system.ts'

const GET = '    verify: [{ path: /work }]\n'
const POST = '    verify: [{ path: /work, kind: post }]\n'
const ALL = `    verify:
      - { path: /work }
      - { path: /slow, kind: slow }
      - { path: /echo, kind: post, body: "one two" }
      - { path: /echo, kind: chunked, body: "three four" }
      - { path: /events, kind: sse }
      - { path: /socket, kind: websocket, body: hello }
`

const made = (t: Test, version: string, extra: string, server = probedServer(), instances = 2): string =>
  smallPackage(t, { version, instances, server, extra: `${extra}    drainTimeout: 5s\n` })

async function newest(system: System, kind: string): Promise<OperationView> {
  const { json } = { json: await system.cli('operations', '--json') }
  const text = JSON.parse(json.stdout) as { operations?: OperationView[] } | OperationView[]
  const list = Array.isArray(text) ? text : (text.operations ?? [])
  const found = list.find(operation => operation.kind === kind)
  if (found === undefined) throw new Error(`no operation ${kind} in ${json.stdout}`)
  return found
}

const version = async (url: string): Promise<string | null> => (await fetch(url)).headers.get('x-version')

t.test('swap --verify: a sound version stays, one that drops a request of its first 500 goes back', async t => {
  const system = await startSystem(t)
  const sound = await system.cli('deploy', made(t, '1.0.0', GET))
  t.equal(sound.code, 0, sound.stderr)
  t.equal((await system.cli('deploy', made(t, '2.0.0', GET), '--slot', 'staging')).code, 0)
  const production = await system.url('small', 'production')
  const good = await system.cli('swap', '--verify')
  t.equal(good.code, 0, good.stderr)
  t.equal(await version(production), '2.0.0')
  const { totals } = await system.client.receipt((await newest(system, 'swap')).id)
  t.ok(totals.arrived >= 1300, `${totals.arrived} requests, 650 for each instance`)
  t.equal(totals.broken, 0)
  t.equal(totals.replayed, 0)

  // A GET that got no answer is sent again by the proxy: the caller sees nothing, and it is noticed all the same.
  // A POST is not: there the traffic itself loses it.
  for (const [extra, drop] of [
    [GET, 437],
    [POST, 500],
  ] as const) {
    const bad = made(t, '3.0.0', extra, probedServer({ drop }))
    t.equal((await system.cli('deploy', bad, '--slot', 'staging', '--replace')).code, 0)
    const back = await system.cli('swap', '--verify')
    t.equal(back.code, 1, back.stderr)
    t.match(await newest(system, 'swap'), { status: 'RolledBack', error: { code: 'verify_failed' } })
    t.equal(await version(production), '2.0.0', `a drop of request ${drop} was undone`)
  }
})

t.test('upgrade --verify: every kind of traffic passes a walk, and a loss rolls it back', async t => {
  const system = await startSystem(t)
  t.equal((await system.cli('deploy', made(t, '1.0.0', ALL))).code, 0)
  const production = await system.url('small', 'production')
  const good = await system.cli('upgrade', made(t, '2.0.0', ALL), '--mode', 'auto', '--verify')
  t.equal(good.code, 0, `${good.stderr} ${JSON.stringify((await newest(system, 'upgrade')).error)}`)
  t.equal(await version(production), '2.0.0')
  const { totals } = await system.client.receipt((await newest(system, 'upgrade')).id)
  t.equal(totals.broken, 0)
  t.ok(totals.arrived >= 2600, `${totals.arrived} requests over two domains`)

  for (const server of [probedServer({ drop: 61 }), probedServer({ cut: true })]) {
    const bad = await system.cli('upgrade', made(t, '3.0.0', ALL, server), '--mode', 'auto', '--verify')
    t.equal(bad.code, 1)
    t.match(await newest(system, 'upgrade'), { status: 'RolledBack', error: { code: 'verify_failed' } })
    t.equal(await version(production), '2.0.0')
  }
})
