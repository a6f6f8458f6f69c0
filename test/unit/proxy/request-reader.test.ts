import t from 'tap'
import { DEFAULT_LIMITS } from '../../../src/contracts/routing.ts'
import { Pipeline } from '../../../proxy/front/pipeline.ts'
import { RequestReader } from '../../../proxy/front/request-reader.ts'

const LIMITS = { ...DEFAULT_LIMITS, maxHeadBytes: 60 }

void t.test('a head in pieces is the one it is in one, and its body begins where it does', t => {
  const text = '\r\n\r\nPOST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi'
  const whole = Buffer.from(text)
  for (let cut = 1; cut < text.length - 2; cut++) {
    const reader = new RequestReader()
    // In the middle of other memory, as bytes may come.
    const first = Buffer.from(`...${text.slice(0, cut)}`)
    t.equal(reader.read(first, 3, first.length, LIMITS), null)
    const rest = Buffer.from(`..${text.slice(cut)}`)
    const head = reader.read(rest, 2, rest.length, LIMITS)
    t.match(head, new RequestReader().read(whole, 0, whole.length, LIMITS) ?? {}, `cut at ${cut}`)
    t.equal(rest.toString('latin1', reader.bodyStart), 'hi')
    t.equal(reader.text, '')
    t.ok(reader.since > 0 && reader.wholeAt >= reader.since)
  }
  t.end()
})

void t.test('empty lines are no beginning; half of one is', t => {
  const reader = new RequestReader()
  t.equal(reader.read(Buffer.from('\r\n'), 0, 2, LIMITS), null)
  t.match(reader, { text: '', since: 0 })
  t.equal(reader.read(Buffer.from('\r'), 0, 1, LIMITS), null)
  t.equal(reader.text, '\r')
  t.equal(reader.read(Buffer.from('\n'), 0, 1, LIMITS), null)
  t.equal(reader.text, '')
  t.end()
})

void t.test('what is refused, and is kept to be logged', t => {
  const cases: [string, number][] = [
    [`GET /${'x'.repeat(60)}`, 414],
    [`GET / HTTP/1.1\r\n${'x'.repeat(60)}`, 431],
    ['GET / HTTP/1.1\n', 400],
    ['GET / HTTP/1.1\r\n\r\n', 400],
  ]
  for (const [text, status] of cases) {
    const reader = new RequestReader()
    t.match(reader.read(Buffer.from(text), 0, text.length, LIMITS), { status, close: true }, text)
    t.equal(reader.text, text)
  }
  t.end()
})

void t.test('what was sent ahead comes out in one piece, and fills up at 64 KiB', t => {
  const pipeline = new Pipeline()
  t.equal(pipeline.take(), null)
  const one = Buffer.from('one')
  t.ok(pipeline.keep(one))
  t.equal(pipeline.take(), one, 'not copied')
  t.ok(pipeline.isEmpty)
  pipeline.keep(one)
  t.ok(pipeline.keep(Buffer.alloc(64 * 1024 - 4)))
  t.notOk(pipeline.keep(Buffer.from('x')))
  t.notOk(pipeline.isEmpty)
  t.equal(pipeline.take()?.length, 64 * 1024)
  t.equal(pipeline.take(), null)
  t.end()
})
