import t from 'tap'
import { DEFAULT_POLICY, type PoolPolicy } from '../../../src/contracts/routing.ts'
import type { PoolReport } from '../../../proxy/routing/pool-state.ts'
import type { DataPlane } from '../../../proxy/worker/data-plane.ts'
import { until } from '../../support/until.ts'
import {
  answering,
  ask,
  isWhole,
  listener,
  ok,
  open,
  pool,
  rawClient,
  startOrigin,
  startPlane,
  statusOf,
  table,
  target,
  type Origin,
} from './support.ts'

const GET = 'GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n'
const POST = 'POST / HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: 2\r\n\r\nhi'

function policy(change: Partial<PoolPolicy>): PoolPolicy {
  return { ...DEFAULT_POLICY, ...change }
}

function report(plane: DataPlane, key = 'd1/web/http'): PoolReport {
  const found = plane.pools().find(one => one.key === key)
  if (found === undefined) throw new Error(`no pool ${key}`)
  return found
}

/** Whole requests that came to an instance. */
function requestsAt(origin: Origin): number {
  return origin.received.join('').split(/(?:GET|POST) \//).length - 1
}

/** An instance that resets each connection with a request on it until it is `well`. */
async function failing(t: Parameters<typeof startOrigin>[0], answer: string): Promise<Origin & { well: boolean }> {
  const origin = await startOrigin(t, (text, socket, clear) => {
    if (!text.includes('\r\n\r\n')) return
    clear()
    if (state.well) socket.write(answer)
    else socket.resetAndDestroy()
  })
  const state = Object.assign(origin, { well: false })
  return state
}

void t.test('two endpoints of one role are two pools, and its instance counts for both', async t => {
  const first = await answering(t, ok('first'))
  const second = await startOrigin(t, () => {})
  const key = 'd1/web_IN_0#1.1'
  const pools = [
    pool([target(first, { key })], { key: 'd1/web/http' }),
    pool([target(second, { key })], { key: 'd1/web/other', endpoint: 'other' }),
  ]
  const listeners = [listener(), listener({ key: 'other', port: 2, pool: 'd1/web/other' })]
  const { plane, port, listen } = await startPlane(t, table(pools, { listeners }))
  const other = await rawClient(t, await listen('127.0.0.1:2'), GET)
  t.match(await ask(t, port, GET), /first$/)
  await until('it came to the second', () => second.received.join('') !== '')
  t.same(plane.status().inFlight, { [key]: 1 })
  t.equal(other.text, '')
})

void t.test('an instance that fails is passed over, tried by one request, and taken back', async t => {
  const bad = await failing(t, ok('bad'))
  const good = [await answering(t, ok('good')), await answering(t, ok('good'))]
  const targets = [bad, ...good].map((origin, index) => target(origin, { name: `web_IN_${index}` }))
  const rules = policy({ balancing: 'round-robin', ejection: { failures: 3, baseMs: 60_000, maxShare: 0.5 } })
  const { plane, port, rows } = await startPlane(t, table([pool(targets, { policy: rules })]))
  for (let n = 0; n < 9; n++) t.equal(statusOf(await ask(t, port, GET)), 200, 'a GET goes to another instance')
  t.equal(requestsAt(bad), 3)
  t.match(report(plane), { ejections: 1, ejected: 1, retries: 3 })
  for (let n = 0; n < 20; n++) t.equal(statusOf(await ask(t, port, POST)), 200)
  t.equal(requestsAt(bad), 3, 'nothing more came to it')

  const timeIsOver = (): void => {
    for (const one of plane.snapshot.pools.get('d1/web/http')?.ready ?? []) if (one.ejected) one.avoidUntil = 1
  }
  timeIsOver()
  let broken = 0
  await until('one request has tried it', async () => {
    if (statusOf(await ask(t, port, POST)) === 502) broken++
    return broken > 0
  })
  t.match(report(plane), { ejections: 2, readmissions: 0 })
  for (let n = 0; n < 20; n++) t.equal(statusOf(await ask(t, port, POST)), 200)
  t.equal(requestsAt(bad), 4, 'one, and not at once again')
  bad.well = true
  timeIsOver()
  await until('it serves again', async () => (await ask(t, port, GET)).endsWith('bad'))
  t.match(report(plane), { ejections: 2, readmissions: 1, ejected: 0 })
  t.equal(rows().broken['upstream-closed'], 1)
  t.equal(open(plane), 0)
})

void t.test('while every instance is passed over they serve all the same', async t => {
  const origin = await failing(t, ok('x'))
  const rules = policy({ ejection: { failures: 1, baseMs: 60_000, maxShare: 1 } })
  const { plane, port } = await startPlane(t, table([pool([target(origin)], { policy: rules })]))
  t.equal(statusOf(await ask(t, port, POST)), 502)
  t.match(report(plane), { ejected: 1, ejectedAll: 0 })
  origin.well = true
  t.equal(statusOf(await ask(t, port, POST)), 200)
  t.match(report(plane), { ejected: 0, ejectedAll: 1, readmissions: 1 })
})

void t.test('broken and late answers count, an idle connection closed under a request does not', async t => {
  const used = new Set<unknown>()
  const idle = await startOrigin(t, (text, socket, clear) => {
    if (!text.includes('\r\n\r\n')) return
    clear()
    if (used.has(socket)) socket.resetAndDestroy()
    else socket.write(ok('x'))
    used.add(socket)
  })
  const rules = policy({ ejection: { failures: 2, baseMs: 60_000, maxShare: 1 } })
  const strict = policy({ ejection: { failures: 1, baseMs: 60_000, maxShare: 1 } })
  const { plane, port } = await startPlane(t, table([pool([target(idle)], { policy: strict })]))
  const client = await rawClient(t, port)
  for (let n = 0; n < 6; n++) {
    client.text = ''
    client.send(GET)
    t.equal(statusOf(await client.until(isWhole)), 200)
  }
  t.match(report(plane), { ejections: 0, retries: 5 })

  const broken = await answering(t, 'nonsense\r\n\r\n')
  const slow = await startOrigin(t, () => {})
  for (const [origin, status] of [
    [broken, 502],
    [slow, 504],
  ] as const) {
    const limits = { responseTimeoutMs: 100 }
    const key = `d1/web/${status}`
    plane.apply(
      table([pool([target(origin)], { key, policy: rules })], { limits, listeners: [listener({ pool: key })] }),
    )
    for (let n = 0; n < 2; n++) t.equal(statusOf(await ask(t, port, POST)), status)
    t.equal(report(plane, key).ejected, 1)
  }
})

void t.test('a stall of this process ejects nobody', async t => {
  const origin = await startOrigin(t, (text, socket, clear) => {
    if (!text.includes('\r\n\r\n')) return
    clear()
    socket.write(ok('x'))
  })
  // Gives up on half a request during the stall, as an instance with a request time-out does.
  const strict = await startOrigin(t, () => {})
  const rules = policy({ ejection: { failures: 1, baseMs: 60_000, maxShare: 1 } })
  const pools = [pool([target(origin)], { policy: rules }), pool([target(strict)], { key: 'strict', policy: rules })]
  const listeners = [listener(), listener({ key: 'strict', port: 2, pool: 'strict' })]
  const tables = table(pools, { listeners, limits: { responseTimeoutMs: 1500 } })
  const { plane, port, listen } = await startPlane(t, tables)
  const clients = await Promise.all(Array.from({ length: 4 }, async () => rawClient(t, port, GET)))
  const halves = await rawClient(t, await listen('127.0.0.1:2'), POST.slice(0, -2))
  await until('half a request has come', () => strict.received.join('') !== '')
  for (const client of clients) {
    await client.until(isWhole)
    client.text = ''
    client.send(GET)
  }
  const end = performance.now() + 2500
  while (performance.now() < end);
  strict.sockets[0]?.destroy()
  for (const client of clients) t.equal(statusOf(await client.until(isWhole)), 200)
  t.equal(statusOf(await halves.until(isWhole)), 502)
  t.match(report(plane), { ejections: 0 })
  t.match(report(plane, 'strict'), { ejections: 0 })
})

void t.test('a client stays with its instance by a cookie, and is not trapped by it', async t => {
  const origins = await Promise.all([0, 1, 2].map(async n => answering(t, ok(`from ${n}`))))
  const targets = origins.map((origin, index) => target(origin, { name: `web_IN_${index}` }))
  const rules = policy({ affinity: 'cookie' })
  const { plane, port } = await startPlane(
    t,
    table([pool(targets, { policy: rules })], { limits: { trustedProxies: ['127.0.0.1'] } }),
  )
  const go = async (cookie: string, fields = ''): Promise<{ from: string; set: string; text: string }> => {
    const text = await ask(t, port, `GET / HTTP/1.1\r\nHost: a\r\nCookie: theme=dark; ${cookie}\r\n${fields}\r\n`)
    t.equal(statusOf(text), 200)
    return { from: text.slice(-6), set: /\r\nSet-Cookie: ([^;\r]*)/.exec(text)?.[1] ?? '', text }
  }
  const first = await go('a=b')
  t.match(first.text, /\r\nSet-Cookie: vipswap-affinity-[0-9a-f]{8}=[0-9a-f]{16}; Path=\/; HttpOnly; SameSite=Lax\r\n/)
  t.match((await go('', 'X-Forwarded-Proto: https\r\n')).text, /SameSite=Lax; Secure\r\n/)
  for (let n = 0; n < 10; n++) t.match(await go(first.set), { from: first.from, set: '' })
  t.ok(
    origins.some(({ received }) => received.join('').includes(first.set)),
    'the instance sees it',
  )
  t.equal(report(plane).affinityMoved, 0)

  const mine = Number(first.from.at(-1))
  const drained = targets.map((one, index) => (index === mine ? { ...one, state: 'draining' as const } : one))
  plane.apply(table([pool(drained, { policy: rules })]))
  const moved = await go(first.set)
  t.not(moved.from, first.from)
  t.not(moved.set, '')
  for (let n = 0; n < 5; n++) t.match(await go(moved.set), { from: moved.from, set: '' })
  t.equal(report(plane).affinityMoved, 1)

  plane.apply(table([pool(targets, { policy: rules })]))
  await origins[mine]?.close()
  const dead = await go(first.set)
  t.not(dead.from, first.from)
  t.notSame(dead.set, '', 'it refuses connections')
  const again = await answering(t, ok(`anew ${mine}`))
  const restarted = targets.map((one, index) => (index === mine ? target(again, { name: one.instance }) : one))
  plane.apply(table([pool(restarted, { policy: rules })]))
  t.match(await go(first.set), { from: `anew ${mine}`.slice(-6), set: '' }, 'the same instance started again')

  const other = await answering(t, ok('other!'))
  const swapped = pool([target(other)], { key: 'd2', deployment: 'd2', policy: rules })
  plane.apply(table([swapped], { listeners: [listener({ pool: 'd2' })] }))
  const fresh = await go(first.set)
  t.equal(fresh.from, 'other!')
  t.equal(fresh.set.split('=')[0], first.set.split('=')[0], 'the cookie of before is replaced')
  t.match(await go(fresh.set), { from: 'other!', set: '' })
})

void t.test('the answer that begins a tunnel sets the cookie too', async t => {
  const origin = await startOrigin(t, (text, socket) => {
    if (text.endsWith('\r\n\r\n'))
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n')
  })
  const { port } = await startPlane(t, table([pool([target(origin)], { policy: policy({ affinity: 'cookie' }) })]))
  const client = await rawClient(t, port, 'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n')
  t.match(
    await client.until(text => text.endsWith('\r\n\r\n')),
    /^HTTP\/1\.1 101 [\s\S]*\r\nSet-Cookie: vipswap-affinity-/,
  )
})

void t.test('a client stays with its instance by its address, also behind a proxy that is trusted', async t => {
  const origins = await Promise.all([0, 1, 2, 3].map(async n => answering(t, ok(`from ${n}`))))
  const targets = origins.map((origin, index) => target(origin, { name: `web_IN_${index}` }))
  const tables = table([pool(targets, { policy: policy({ affinity: 'source' }) })], {
    limits: { trustedProxies: ['127.0.0.0/8'] },
  })
  const { plane, port } = await startPlane(t, tables)
  const from = async (address: string): Promise<string> => {
    const text = await ask(t, port, `GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: ${address}\r\n\r\n`)
    return text.slice(-6)
  }
  const clients = Array.from({ length: 24 }, (_, n) => `192.0.2.${n}`)
  const before = await Promise.all(clients.map(from))
  t.ok(new Set(before).size > 2)
  t.same(await Promise.all(clients.map(from)), before)
  plane.apply(table([pool(targets.slice(1), { policy: policy({ affinity: 'source' }) })], { limits: tables.limits }))
  const after = await Promise.all(clients.map(from))
  for (const [n, instance] of before.entries()) {
    if (instance === 'from 0') t.not(after[n], 'from 0')
    else t.equal(after[n], instance)
  }
})
