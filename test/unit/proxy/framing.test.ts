import fc from 'fast-check'
import t from 'tap'
import { BodyWalker } from '../../../proxy/http1/body-walker.ts'
import { parseRequestHead } from '../../../proxy/http1/request-head.ts'
import { parseResponseHead } from '../../../proxy/http1/response-head.ts'
import { FrameWalker } from '../../../proxy/tunnel/frame-walker.ts'

/** Walks `bytes` in pieces of the given sizes, each beginning where the one before ended. */
function walkInPieces(walker: BodyWalker, bytes: Buffer, sizes: readonly number[]): number {
  let at = 0
  let turn = 0
  while (at < bytes.length && !walker.done && !walker.failed) {
    const end = Math.min(bytes.length, at + (sizes[turn++ % sizes.length] ?? 1))
    const stop = walker.walk(bytes, at, end)
    at = stop
    if (stop < end) break
  }
  return at
}

const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 })

void t.test('a chunked body ends at the same octet however it is cut into reads', t => {
  fc.assert(
    fc.property(fc.array(fc.string({ minLength: 1, maxLength: 60 }), { maxLength: 6 }), sizes, (chunks, cut) => {
      const parts = chunks.map(chunk => Buffer.from(chunk))
      const body = Buffer.concat([
        ...parts.flatMap(part => [Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n')]),
        Buffer.from('0\r\n\r\n'),
      ])
      const walker = new BodyWalker()
      walker.start('chunked', 0)
      const end = walkInPieces(walker, Buffer.concat([body, Buffer.from('GET / HTTP/1.1')]), cut)
      return walker.done && !walker.failed && end === body.length
    }),
  )
  t.end()
})

void t.test('the walked payload of a chunked body is its chunks', t => {
  const walker = new BodyWalker()
  walker.start('chunked', 0)
  walker.payload = []
  const bytes = Buffer.from('3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n')
  walker.walk(bytes, 0, bytes.length)
  let text = ''
  for (let n = 0; n < walker.payload.length; n += 2) {
    text += bytes.toString('latin1', walker.payload[n], walker.payload[n + 1])
  }
  t.equal(text, 'abcde')
  t.end()
})

void t.test('a sized body ends at its length, an endless one never', t => {
  const bytes = Buffer.alloc(100)
  const walker = new BodyWalker()
  walker.start('length', 30)
  t.equal(walker.walk(bytes, 0, 20), 20)
  t.notOk(walker.done)
  t.equal(walker.walk(bytes, 20, 100), 30)
  t.ok(walker.done)
  walker.start('close', 0)
  t.equal(walker.walk(bytes, 0, 100), 100)
  t.notOk(walker.done)
  t.end()
})

void t.test('no text makes the head parsers throw, and none that they take has control octets', t => {
  const pieces = fc.constantFrom(
    'GET',
    ' ',
    '/',
    'HTTP/1.1',
    '\r\n',
    'Host',
    ':',
    'a',
    ',',
    '\0',
    '\n',
    'chunked',
    'Content-Length',
    '5',
    'Transfer-Encoding',
    'Connection',
    '200',
    'OK',
  )
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 30 }), parts => {
      const text = parts.join('')
      const request = parseRequestHead(text, 100)
      if (!('status' in request) && /[\0\n]/.test(request.fields.replaceAll('\r\n', ''))) return false
      const response = parseResponseHead(text, 'GET')
      return typeof response === 'string' || !/[\0\n]/.test(response.fields.replaceAll('\r\n', ''))
    }),
  )
  t.end()
})

void t.test('frame boundaries are found however frames are cut into reads', t => {
  const frame = fc.record({ length: fc.constantFrom(0, 1, 125, 126, 300, 65_535, 65_536), masked: fc.boolean() })
  fc.assert(
    fc.property(
      fc.array(frame, { minLength: 1, maxLength: 4 }),
      fc.integer({ min: 1, max: 70_000 }),
      (frames, size) => {
        const parts = frames.map(({ length, masked }) => {
          const mask = masked ? 0x80 : 0
          const head =
            length < 126
              ? [0x82, mask | length]
              : length < 65_536
                ? [0x82, mask | 126, length >> 8, length & 255]
                : [0x82, mask | 127, 0, 0, 0, 0, 0, length >> 16, (length >> 8) & 255, length & 255]
          return Buffer.concat([Buffer.from([...head, ...(masked ? [1, 2, 3, 4] : [])]), Buffer.alloc(length, 0xff)])
        })
        const bytes = Buffer.concat(parts)
        const walker = new FrameWalker()
        const ends = new Set<number>()
        let sum = 0
        for (const part of parts) ends.add((sum += part.length))
        for (let at = 0; at < bytes.length; at += size) {
          const end = Math.min(bytes.length, at + size)
          walker.walk(bytes, at, end, false)
          if (walker.atBoundary !== ends.has(end)) return false
        }
        return !walker.sawClose
      },
    ),
    { numRuns: 50 },
  )
  t.end()
})
