import fc from 'fast-check'
import t from 'tap'
import { BodyWalker } from '../../../proxy/http1/body-walker.ts'
import { parseRequestHead } from '../../../proxy/http1/request-head.ts'
import { parseResponseHead } from '../../../proxy/http1/response-head.ts'

// Any octets at all, and octets of the kind that framing is made of.

const octets = fc.uint8Array({ maxLength: 300 }).map(bytes => Buffer.from(bytes))
const framing = fc
  .array(
    fc.constantFrom(
      '0',
      '1',
      '5',
      'a',
      'F',
      '\r',
      '\n',
      '\r\n',
      '\r\n',
      ';',
      '=',
      '"',
      ' ',
      '\t',
      'x',
      ':',
      '\0',
      '\xff',
      'hello',
      'X: y',
    ),
    {
      maxLength: 40,
    },
  )
  .map(parts => Buffer.from(parts.join(''), 'latin1'))
const body = fc.oneof(octets, framing)
const cuts = fc.array(fc.nat({ max: 300 }), { maxLength: 8 })

interface Walked {
  readonly state: string
  readonly content: string
  readonly trailers: string
}

/** What a walker makes of `bytes` read in pieces that end at `at`. */
function walked(kind: 'length' | 'chunked' | 'close', length: number, bytes: Buffer, at: readonly number[]): Walked {
  const walker = new BodyWalker()
  walker.start(kind, length)
  walker.payload = []
  let content = ''
  let from = 0
  for (const cut of [...new Set(at)].sort((one, other) => one - other).concat(bytes.length)) {
    if (cut <= from || cut > bytes.length || walker.done || walker.failed) continue
    const stop = walker.walk(bytes, from, cut)
    if (stop < from || stop > cut) throw new Error('walked out of what was given')
    if (stop < cut && !walker.done && !walker.failed) throw new Error('stopped without a reason')
    for (let n = 0; n < walker.payload.length; n += 2) {
      content += bytes.toString('latin1', walker.payload[n], walker.payload[n + 1])
    }
    from = stop
  }
  // Where it failed depends on what was looked at together; that it did, does not.
  const end = walker.failed ? 'failed' : `${walker.done ? 'done' : 'open'} at ${from}`
  return { state: end, content: walker.failed ? '' : content, trailers: walker.failed ? '' : walker.trailers }
}

void t.test('a body is walked alike however it is cut into reads, whatever its octets', t => {
  fc.assert(
    fc.property(
      fc.constantFrom('length', 'chunked', 'close'),
      fc.nat({ max: 400 }),
      body,
      cuts,
      (kind, length, bytes, at) => {
        return (
          JSON.stringify(walked(kind, length + 1, bytes, at)) === JSON.stringify(walked(kind, length + 1, bytes, []))
        )
      },
    ),
    { numRuns: 3000 },
  )
  t.end()
})

void t.test('whatever the octets, a head is taken or refused, and what is taken holds no control', t => {
  const line = fc.constantFrom('GET / HTTP/1.1', 'POST /a HTTP/1.0', 'HTTP/1.1 200 OK', 'HTTP/1.0 404', '')
  const field = fc.oneof(
    fc.constantFrom(
      'Host: a',
      'Content-Length: 1',
      'Transfer-Encoding: chunked',
      'Connection: x',
      'Upgrade: y',
      'X: z',
    ),
    octets.map(bytes => bytes.toString('latin1')),
  )
  fc.assert(
    fc.property(line, fc.array(field, { maxLength: 6 }), (first, fields) => {
      const text = [first, ...fields].join('\r\n')
      const request = parseRequestHead(text, 100)
      const response = parseResponseHead(text, 'GET')
      const taken = [
        'status' in request ? '' : `${request.method}${request.target}${request.host}\r\n${request.fields}`,
        typeof response === 'string' ? '' : `${response.reason}\r\n${response.fields}`,
      ]
      for (const one of taken) {
        if (/[^\t\x20-\x7e\x80-\xff]/.test(one.replaceAll('\r\n', ''))) return false
        if (/\r\n(?!$|[!#$%&'*+.^_`|~0-9A-Za-z-]+:)/.test(one)) return false
      }
      return true
    }),
    { numRuns: 5000 },
  )
  t.end()
})
