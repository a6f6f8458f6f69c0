import t from 'tap'
import { clipRanges, EventStream } from '../../../proxy/tunnel/event-stream.ts'

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1')

/** Where a stream may end, octet by octet, as the number of octets before each such place. */
function boundaries(text: string, chunked = false): number[] {
  const events = new EventStream(chunked)
  const found: number[] = events.atBoundary ? [0] : []
  const all = bytes(text)
  for (let at = 0; at < all.length; at++) {
    events.walk(all, at, at + 1, null, false)
    if (events.atBoundary) found.push(at + 1)
  }
  return found
}

void t.test('an event stream may end where it begins and after each blank line, whatever ends its lines', t => {
  t.same(boundaries('data: a\n\ndata: b\n\n'), [0, 9, 18])
  t.same(boundaries('data: a\r\n\r\ndata: b\r\n'), [0, 11])
  t.same(boundaries('data: a\r\rdata: b\r'), [0, 9])
  t.same(boundaries('data: a\n\r\n:\n\n'), [0, 10, 13])
  t.same(boundaries(': x\n\n\n'), [0, 5, 6])
  t.end()
})

void t.test('with chunks it may end only between two of them', t => {
  const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`
  const whole = chunk('data: a\n\n')
  t.same(boundaries(whole + whole, true), [0, whole.length, 2 * whole.length])
  const two = chunk('data: a\n\ndata: b') + chunk('\n\n')
  t.same(boundaries(two, true), [0, two.length])
  t.same(boundaries(chunk('data: a\n\ndata: b'), true), [0], 'not in the middle of a chunk')
  t.end()
})

void t.test('the state does not depend on how the bytes are cut, and a wanted stop is the first boundary', t => {
  const text = bytes('data: a\r\n\r\ndata: b\n\ndata: c\r\r: d\n\n')
  for (let cut = 0; cut <= text.length; cut++) {
    const events = new EventStream(false)
    t.equal(events.walk(text, 0, cut, null, false), cut)
    const whole = new EventStream(false)
    for (let at = 0; at < cut; at++) whole.walk(text, at, at + 1, null, false)
    t.equal(events.atBoundary, whole.atBoundary, `cut at ${cut}`)
    const stop = events.walk(text, cut, text.length, null, true)
    const next = boundaries(text.toString('latin1')).find(boundary => boundary > cut) ?? text.length
    t.equal(stop, next)
  }
  t.end()
})

void t.test('where the payload alone goes on, what lies between its ranges does not count', t => {
  const framed = bytes('9\r\ndata: a\n\n\r\n9\r\ndata: b\n\n\r\n')
  const ranges = [3, 12, 17, 26]
  const events = new EventStream(false)
  t.equal(events.walk(framed, 0, 5, [3, 5], false), 5)
  t.notOk(events.atBoundary)
  t.equal(events.walk(framed, 5, framed.length, [5, 12, 17, 26], true), 12)
  t.same(clipRanges(ranges, 20), [3, 12, 17, 20])
  t.same(clipRanges(ranges, 14), [3, 12])
  t.end()
})
