import fc from 'fast-check'
import t from 'tap'
import { isBrokenRequest, isBrokenResponse } from '../../../proxy/http1/partial-head.ts'

const pieces = fc.constantFrom(
  'GET / HTTP/1.1',
  'HTTP/1.1 200 OK',
  'G',
  ' ',
  '/',
  'HTTP/1.',
  '1',
  '\r\n',
  '\r',
  '\n',
  '\0',
  'Host: a',
  ':',
  'x'.repeat(20),
  '\t',
)
const texts = fc.array(pieces, { maxLength: 12 }).map(parts => parts.join(''))

for (const [what, isBroken] of [
  ['a request', isBrokenRequest],
  ['an answer', isBrokenResponse],
] as const) {
  void t.test(`${what} in pieces is found broken where it is as a whole`, t => {
    fc.assert(
      fc.property(texts, fc.array(fc.nat(120)), (text, cuts) => {
        let before = 0
        for (const cut of [...cuts.filter(one => one > 0 && one < text.length).sort((a, b) => a - b), text.length]) {
          if (cut === before) continue
          const part = text.slice(0, cut)
          const broken = isBroken(part, before)
          if (broken !== isBroken(part, 0)) return false
          if (broken) return true
          before = cut
        }
        return true
      }),
      { numRuns: 20_000 },
    )
    t.end()
  })
}

void t.test('what cannot become a head any more', t => {
  const requests: [string, boolean][] = [
    ['G', false],
    ['GET / HTTP/1.1\r\nHost: a\r', false],
    ['GET / HTTP/1.1\r\nHost: a\n', true],
    ['GET / HTTP/1.1\r\nHost: a\rb', true],
    ['GET / HTTP/1.1\r\nHost: \0', true],
    ['G T / H', true],
    ['GET / FTP', true],
    [' GET', true],
  ]
  for (const [text, broken] of requests) t.equal(isBrokenRequest(text, 0), broken, JSON.stringify(text))
  t.equal(isBrokenResponse('HTTP/1.1 200', 0), false)
  t.equal(isBrokenResponse('SSH-2.0', 0), true)
  t.end()
})
