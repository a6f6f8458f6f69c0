import { createHash, randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import t from 'tap'
import type { DataPlaneLimits, Target } from '../../../src/contracts/routing.ts'
import { until } from '../../support/until.ts'
import { listener, open, pool, rawClient, startOrigin, startPlane, table, target, type Origin } from './support.ts'

interface Test {
  teardown(fn: () => unknown): void
}

const LINE = listener({ key: 'app/production/db/tcp', protocol: 'tcp', port: 9, hostNames: [] })
const MIB = 1024 * 1024

async function start(t: Test, targets: readonly Target[], limits: Partial<DataPlaneLimits> = {}) {
  const made = (now: readonly Target[]) => table([pool(now)], { listeners: [LINE], limits })
  const plane = await startPlane(t, made(targets), '127.0.0.1:9')
  return {
    ...plane,
    counted: () => plane.rows(LINE.key),
    drain: (old: Target, drainMs = 0) => plane.plane.apply(made([{ ...old, state: 'draining', drainMs }])),
  }
}

/** An instance that keeps its side open until told otherwise. */
async function startKeeping(t: Test, onText: (text: string, socket: Socket) => void = () => {}): Promise<Origin> {
  return startOrigin(t, onText, { onEnd: () => {} })
}

void t.test('a connection that an instance refuses goes to another one', async t => {
  const origin = await startOrigin(t, (text, socket) => socket.write(`[${text}]`))
  const dead = await startOrigin(t, () => {})
  await dead.close()
  const targets = [target(dead, { name: 'db_IN_0' }), target(origin, { name: 'db_IN_1' })]
  const { port, counted } = await start(t, targets)
  for (let round = 0; round < 8; round++) {
    const client = await rawClient(t, port, 'hi')
    t.equal(await client.until(text => text !== ''), '[hi]')
    client.socket.end()
    await client.end()
  }
  await until('all are over', () => counted().answered === 8)
  t.same(counted().broken, {})
  t.ok(counted().replayed > 0)
})

void t.test('either side may end first and still be sent the rest', async t => {
  const origin = await startKeeping(t)
  const { port, plane, counted } = await start(t, [target(origin)])
  const first = await rawClient(t, port, 'a')
  await until('the instance has it', () => origin.received[0] === 'a')
  origin.sockets[0]?.end('over')
  t.equal(await first.end(), 'over')
  first.send('b'.repeat(100_000))
  first.socket.end('c')
  await until('the instance has all', () => origin.received[0] === `a${'b'.repeat(100_000)}c`)

  const second = await rawClient(t, port)
  second.socket.end('question')
  await until('the instance has it', () => origin.received[1] === 'question')
  origin.sockets[1]?.write('x'.repeat(100_000))
  origin.sockets[1]?.end('y')
  t.equal(await second.end(), `${'x'.repeat(100_000)}y`)
  await until('both are over', () => counted().answered === 2 && open(plane) === 0)
  t.equal(plane.tunnels.open, 0)
  t.equal(plane.tunnels.toInstance, 'a'.length + 100_000 + 'c'.length + 'question'.length)
  t.equal(plane.tunnels.toClient, 'over'.length + 100_000 + 'y'.length)
})

void t.test('a reset is passed on as a reset, also when the other side had ended in order', async t => {
  const origin = await startKeeping(t)
  const { port, counted } = await start(t, [target(origin)])
  const errors: string[] = []
  const dial = async (index: number) => {
    const client = await rawClient(t, port, 'a')
    await until('the instance has it', () => origin.received[index] === 'a')
    origin.sockets[index]?.on('error', error => errors.push(error.message))
    return client
  }
  const first = await dial(0)
  origin.sockets[0]?.resetAndDestroy()
  await until('the client sees it', () => first.closed)
  t.equal(first.failed, 'read ECONNRESET')

  const second = await dial(1)
  second.socket.end('bye')
  await until('the instance has its end', () => origin.received[1] === 'abye' && origin.sockets[1]?.readableEnded)
  origin.sockets[1]?.write('half an ans')
  await second.until(text => text === 'half an ans')
  origin.sockets[1]?.resetAndDestroy()
  await until('the client sees it', () => second.closed)
  t.equal(second.failed, 'read ECONNRESET', 'what is not whole does not look so')
  t.same(counted().broken, { 'upstream-closed': 2 })

  const third = await dial(2)
  third.socket.resetAndDestroy()
  await until('the instance sees it', () => origin.sockets[2]?.destroyed)
  t.same(errors, ['read ECONNRESET'])
  t.equal(counted().clientGone, 1)
})

void t.test('much passes byte for byte both ways at once, and a slow reader is not read ahead of', async t => {
  const up = randomBytes(16 * MIB)
  const down = randomBytes(16 * MIB)
  const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')
  const hash = createHash('sha256')
  let taken = 0
  const origin = await startKeeping(t)
  const { port, plane } = await start(t, [target(origin)])
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  t.teardown(() => socket.destroy())
  const got = createHash('sha256')
  let received = 0
  socket.on('data', chunk => {
    received += chunk.length
    got.update(chunk)
  })
  await until('the instance has the connection', () => origin.sockets.length === 1)
  const [instance] = origin.sockets
  if (instance === undefined) throw new Error('no connection')
  instance.removeAllListeners('data')
  instance.on('data', chunk => {
    taken += chunk.length
    hash.update(chunk)
  })
  // Neither reads: what both send has to stay with them, but for what the kernel's buffers take.
  socket.pause()
  instance.pause()
  socket.end(up)
  instance.end(down)
  let before = -1
  await until(
    'nothing moves any more',
    () => {
      const now = plane.tunnels.toClient + plane.tunnels.toInstance
      const stands = now === before && now > 0
      before = now
      return stands
    },
    { intervalMs: 300 },
  )
  t.ok(plane.tunnels.toClient < 8 * MIB, `${plane.tunnels.toClient} bytes to the client were read ahead`)
  t.ok(plane.tunnels.toInstance < 8 * MIB, `${plane.tunnels.toInstance} bytes to the instance were read ahead`)
  instance.resume()
  socket.resume()
  await until('all is there', () => received === down.length && taken === up.length)
  t.equal(got.digest('hex'), digest(down))
  t.equal(hash.digest('hex'), digest(up))
  await until('it is over', () => open(plane) === 0)
})

void t.test(
  'at the deadline of a drain the instance is told that no more comes, and its last word goes on',
  async t => {
    const origin = await startOrigin(t, () => {}, { onEnd: socket => socket.end('goodbye') })
    const old = target(origin)
    const { port, plane, drain, counted } = await start(t, [old])
    const client = await rawClient(t, port, 'hi')
    await until('it is there', () => origin.received[0] === 'hi')
    drain(old)
    t.equal(await client.end(), 'goodbye')
    t.equal(client.failed, null)
    client.socket.end()
    await until('it is over', () => open(plane) === 0)
    t.equal(counted().answered, 1)
  },
)

void t.test('what an instance has not taken by then still reaches it as it was sent', async t => {
  const up = randomBytes(32 * MIB)
  const origin = await startKeeping(t)
  const old = target(origin)
  const { port, plane, drain } = await start(t, [old])
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  socket.on('error', () => {})
  t.teardown(() => socket.destroy())
  await until('the instance has the connection', () => origin.sockets.length === 1)
  const [instance] = origin.sockets
  if (instance === undefined) throw new Error('no connection')
  instance.removeAllListeners('data')
  const got: Buffer[] = []
  instance.on('data', chunk => got.push(chunk))
  instance.pause()
  socket.write(up)
  let before = -1
  await until(
    'nothing moves any more',
    () => {
      const now = plane.tunnels.toInstance
      const stands = now === before && now > 0
      before = now
      return stands
    },
    { intervalMs: 300 },
  )
  t.ok(before < up.length, 'the instance is behind')
  drain(old)
  instance.resume()
  await until('the instance is told', () => instance.readableEnded)
  const all = Buffer.concat(got)
  t.equal(all.length, plane.tunnels.toInstance)
  t.ok(all.equals(up.subarray(0, all.length)))
})

void t.test('what a client sends after that is not taken for received', async t => {
  const origin = await startKeeping(t)
  const old = target(origin)
  const { port, plane, drain } = await start(t, [old])
  const client = await rawClient(t, port, 'hi')
  await until('it is there', () => origin.received[0] === 'hi')
  drain(old)
  await until('the instance is told', () => origin.sockets[0]?.readableEnded)
  client.send('too late')
  // The same way, so that it has arrived before the instance ends.
  await until('it has gone out', () => client.socket.writableLength === 0)
  const other = await rawClient(t, port)
  await until('others are refused', () => other.closed)
  origin.sockets[0]?.end()
  await until('it is over', () => client.closed && open(plane) === 0)
  t.equal(client.failed, 'read ECONNRESET')
  t.equal(origin.received[0], 'hi')
})

void t.test('a transfer that outlives the deadline by 2 s is cut visibly', async t => {
  const origin = await startKeeping(t)
  const old = target(origin)
  const { port, plane, drain, counted } = await start(t, [old])
  const client = await rawClient(t, port, 'hi')
  await until('it is there', () => origin.received[0] === 'hi')
  drain(old)
  await until('the instance is told', () => origin.sockets[0]?.readableEnded)
  origin.sockets[0]?.write('a part')
  await client.until(text => text === 'a part')
  await until('it is cut', () => client.closed && open(plane) === 0)
  t.equal(client.failed, 'read ECONNRESET')
  t.same(counted().broken, { 'drain-deadline': 1 })
})

void t.test('a tunnel without a byte either way is ended in order', async t => {
  const origin = await startOrigin(t, (text, socket) => socket.write(text))
  const { port, plane, counted } = await start(t, [target(origin)], { tunnelIdleTimeoutMs: 600 })
  const idle = await rawClient(t, port, 'x')
  t.equal(await idle.end(), 'x')
  t.equal(idle.failed, null)
  idle.socket.end()
  await until('it is counted', () => counted().answered === 1)
  t.equal(plane.tunnels.open, 0)
})

void t.test('those who wait are charged what they sent', async t => {
  const limits = { holdBytes: 64 * 1024, holdMax: 20 }
  const made = (targets: readonly Target[]) =>
    table([pool(targets, { expecting: true })], { listeners: [LINE], limits })
  const { plane, port } = await startPlane(t, made([]), '127.0.0.1:9')
  const clients = await Promise.all(Array.from({ length: 20 }, async () => rawClient(t, port, 'hi')))
  await until('all wait', () => plane.hold.size === 20)
  // One sends much more than fits: it is read no further, and the others stay.
  const [greedy] = clients
  if (greedy === undefined) throw new Error('no client')
  const much = randomBytes(16 * MIB)
  greedy.socket.write(much)
  const other = await rawClient(t, port)
  await until('there is no room for another', () => other.closed)
  t.ok(greedy.socket.writableLength > 0)
  t.equal(plane.hold.size, 20)
  let received = 0
  const origin = await startKeeping(t)
  plane.apply(made([target(origin)]))
  await until('all have come', () => {
    received = origin.received.reduce((sum, text) => sum + text.length, 0)
    return received === 20 * 'hi'.length + much.length
  })
  t.equal(origin.sockets.length, 20)
})

void t.test('an instance that goes while it is dialled is nothing the client needs to know of', async t => {
  const first = await startKeeping(t)
  const second = await startOrigin(t, (text, socket) => socket.write(`[${text}]`))
  const { plane, port, counted } = await start(t, [target(first)])
  const dialled = new Promise<void>(resolve => {
    // In the very turn of the loop in which it was dialled.
    const look = (): void => {
      if (Object.keys(plane.status().inFlight).length === 0) setImmediate(look)
      else {
        plane.apply(table([pool([target(second)])], { listeners: [LINE] }))
        resolve()
      }
    }
    setImmediate(look)
  })
  const client = await rawClient(t, port, 'hi')
  await dialled
  t.equal(await client.until(text => text !== ''), '[hi]')
  client.socket.end()
  await until('it is over', () => open(plane) === 0)
  t.match(counted(), { arrived: 1, answered: 1, replayed: 1, broken: {} })
  t.equal(first.received.join(''), '')
})
