import t from 'tap'
import { TunnelCounts } from '../../../proxy/tunnel/tunnel-counts.ts'
import { Tunnel } from '../../../proxy/tunnel/tunnel.ts'
import { SlowStream } from '../../support/slow-stream.ts'

function start(websocket: boolean) {
  const client = new SlowStream()
  const instance = new SlowStream()
  const tunnel = new Tunnel(client, instance, websocket, new TunnelCounts(), () => {})
  tunnel.start()
  instance.slow = true
  return { client, instance, tunnel }
}

/** A masked binary WebSocket frame of `length` octets. */
function frame(length: number): Buffer {
  const head = Buffer.from([0x82, 0x80 | 127, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4])
  head.writeUInt32BE(length, 6)
  return Buffer.concat([head, Buffer.alloc(length)])
}

void t.test('told to end, a side is not read while what it sent is still to be taken', async t => {
  const { client, instance, tunnel } = start(false)
  client.handler.onBytes(Buffer.alloc(100_000), 0, 100_000)
  t.equal(client.reads, false)
  tunnel.endOrderly()
  t.equal(instance.ended, true)
  t.equal(client.reads, false)
  instance.drain()
  t.equal(client.reads, true, 'for the end of its peer')
})

void t.test('nor behind the frame at whose end the Close was placed', async t => {
  const { client, instance, tunnel } = start(true)
  const bytes = frame(100_000)
  client.handler.onBytes(bytes, 0, 50_000)
  instance.drain()
  t.equal(client.reads, true)
  tunnel.endOrderly()
  t.equal(instance.ended, false, 'in the middle of a frame')
  client.handler.onBytes(Buffer.concat([bytes, frame(10)]), 50_000, bytes.length + 10)
  t.equal(instance.ended, true)
  t.equal(client.reads, false)
  instance.drain()
  t.equal(client.reads, true)
})

void t.test('an end of which nothing was taken does not keep the other side from being read', async t => {
  const { client, instance, tunnel } = start(false)
  client.handler.onBytes(Buffer.alloc(100_000), 0, 100_000)
  tunnel.endOrderly()
  instance.handler.onEnd()
  instance.handler.onClose()
  t.equal(client.reads, true)
})

void t.test('who takes a little at a time is not given up, who takes nothing is', async t => {
  const { client, instance, tunnel } = start(false)
  client.handler.onBytes(Buffer.alloc(100_000), 0, 100_000)
  client.handler.onEnd()
  let now = performance.now()
  for (let round = 0; round < 10; round++) {
    now += 900
    instance.taken += 1000
    tunnel.watch(now, 1000, 60_000)
  }
  t.equal(instance.destroyed, false)
  tunnel.watch(now + 1001, 1000, 60_000)
  t.equal(instance.destroyed, true)
})

void t.test('a tunnel in which nothing moves is told to end, one that is used is not', async t => {
  const { client, instance, tunnel } = start(false)
  instance.slow = false
  let now = performance.now()
  for (let round = 0; round < 10; round++) {
    now += 900
    const from = round % 2 === 0 ? client : instance
    from.handler.onBytes(Buffer.from('.'), 0, 1)
    tunnel.watch(now, 60_000, 1000)
  }
  t.equal(instance.ended, false)
  tunnel.watch(now + 1001, 60_000, 1000)
  t.equal(instance.ended, true)
  t.equal(client.ended, false, 'it gets what the instance still answers')
})
