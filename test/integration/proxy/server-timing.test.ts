import t from 'tap'
import { DEFAULT_OPTIONS, DEFAULT_POLICY, type RoutingTable } from '../../../src/contracts/routing.ts'
import { until } from '../../support/until.ts'
import {
  ask,
  isWhole,
  listener,
  ok,
  pool,
  rawClient,
  startOrigin,
  startPlane,
  table,
  target,
  type Origin,
} from './support.ts'

const GET = 'GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n'
const SLOW_MS = 60

async function slow(t: Parameters<typeof startOrigin>[0], fields = ''): Promise<Origin> {
  return startOrigin(t, (text, socket, clear) => {
    if (!text.endsWith('\r\n\r\n')) return
    clear()
    setTimeout(() => socket.write(ok('hello', fields)), SLOW_MS)
  })
}

const timing = (text: string, part: string): number =>
  Number(new RegExp(`^Server-Timing: .*\\b${part};dur=([\\d.]+)`, 'm').exec(text)?.[1])

t.test('an endpoint with serverTiming says how long its instance took, and how long a request was held', async t => {
  const origin = await slow(t, 'Server-Timing: db;dur=7\r\n')
  const options = { ...DEFAULT_OPTIONS, serverTiming: true }
  const tableOf = (leftMs: number | null): RoutingTable =>
    table([pool([target(origin)])], {
      listeners: [listener({ options, paused: leftMs === null ? null : { until: Date.now() + 60_000, leftMs } })],
    })
  const test = await startPlane(t, tableOf(null))
  const text = await ask(t, test.port, GET)
  t.match(text, /^Server-Timing: db;dur=7\r$/m, "the instance's own is kept")
  t.match(text, /^Server-Timing: proxy;dur=\d+\.\d, upstream;dur=\d+\.\d\r$/m)
  t.ok(timing(text, 'upstream') >= SLOW_MS - 5, text)
  t.match(text, /\r\n\r\nhello$/)

  test.plane.apply(tableOf(60_000))
  const client = await rawClient(t, test.port, GET)
  await until('it is held', () => test.plane.hold.size === 1)
  // It is held, and so it is for this long.
  test.plane.apply(tableOf(100))
  const held = await client.until(isWhole)
  t.ok(timing(held, 'hold') >= 95, held)
  t.ok(timing(held, 'proxy') < 95, 'not counted twice')
})

t.test('others say nothing; a cookie goes along', async t => {
  const origin = await slow(t)
  const test = await startPlane(t, table([pool([target(origin)])]))
  t.notMatch(await ask(t, test.port, GET), /Server-Timing/i)
  const affine = pool([target(origin)], { policy: { ...DEFAULT_POLICY, affinity: 'cookie' } })
  test.plane.apply(table([affine], { listeners: [listener({ options: { ...DEFAULT_OPTIONS, serverTiming: true } })] }))
  const text = await ask(t, test.port, GET)
  t.match(text, /^Set-Cookie: vipswap-affinity-/m)
  t.match(text, /^Server-Timing: proxy/m)
})
