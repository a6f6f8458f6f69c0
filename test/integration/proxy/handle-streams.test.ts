import { connect, createServer, type AddressInfo } from 'node:net'
import { test } from 'tap'
import type { ByteHandler } from '../../../proxy/connections/byte-stream.ts'
import { HandleStream } from '../../../proxy/connections/handle-stream.ts'
import { sharedBuffer, takeBuffer } from '../../../proxy/connections/read-buffers.ts'
import { acceptHandles } from '../../../proxy/connections/tcp-handle.ts'
import { until } from '../../support/until.ts'
import type { Test } from './support.ts'

interface Read {
  readonly text: string
  readonly buffer: Buffer
  readonly volatile: boolean
}

/** An accepted connection with what was read of it, and the client's side. */
async function accepted(t: Test) {
  const reads: Read[] = []
  let stream: HandleStream | null = null
  const handler: ByteHandler = {
    onBytes: (bytes, start, end) => {
      reads.push({ text: bytes.latin1Slice(start, end), buffer: bytes, volatile: stream?.volatile ?? true })
    },
    onEnd: () => {},
    onDrain: () => {},
    onClose: () => {},
  }
  const server = createServer()
  await new Promise<void>(resolve => {
    server.listen(0, '127.0.0.1', resolve)
  })
  acceptHandles(server, handle => {
    stream = HandleStream.accepted(handle, handler)
  })
  const client = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', noDelay: true })
  client.on('error', () => {})
  t.teardown(() => {
    stream?.destroy()
    client.destroy()
    server.close()
  })
  await until('it is accepted', () => stream !== null)
  if (stream === null) throw new Error('not accepted')
  return { stream: stream as HandleStream, reads, client, send: (text: string) => void client.write(text) }
}

test('memory that is shared is called so, also in the first read after a private buffer was asked for', async t => {
  const { stream, reads, send } = await accepted(t)
  // Not within a read: as for a request that had waited behind another one.
  stream.usePrivateBuffer()
  for (const text of ['a', 'b', 'c']) {
    const { length } = reads
    send(text)
    await until('it is read', () => reads.length > length)
  }
  for (const { buffer, volatile } of reads) t.equal(volatile, buffer === sharedBuffer)
  t.not(reads[2]?.buffer, sharedBuffer, 'then it has its own')
})

test('a private buffer serves nobody else while it is still read into', async t => {
  const { stream, reads, send } = await accepted(t)
  stream.usePrivateBuffer()
  send('a')
  await until('it is read', () => reads.length === 1)
  stream.useSharedBuffer(false)
  const other = takeBuffer()
  send('b')
  await until('it is read', () => reads.length === 2)
  t.not(reads[1]?.buffer, other)
  t.equal(takeBuffer(), reads[1]?.buffer, 'and is used again after that')
})

test('what a reader takes of a long write is seen before that is done', async t => {
  const { stream, client } = await accepted(t)
  client.pause()
  const size = 64 * 1024 * 1024
  stream.write(Buffer.alloc(size))
  t.equal(stream.pending, size)
  let before = stream.untaken
  t.ok(before < size, 'the system took some')
  for (let round = 0; round < 3; round++) {
    client.resume()
    await until('more is taken', () => stream.untaken < before)
    client.pause()
    before = stream.untaken
    t.equal(stream.pending, size)
  }
  stream.destroy()
  t.equal(stream.untaken, stream.pending)
})
