import { deepStrictEqual } from 'node:assert'
import fc from 'fast-check'
import t from 'tap'
import { parseRequestHead } from '../../../proxy/http1/request-head.ts'
import { RequestMemo } from '../../../proxy/http1/request-memo.ts'
import { parseResponseHead } from '../../../proxy/http1/response-head.ts'
import { ResponseMemo } from '../../../proxy/http1/response-memo.ts'

const methods = fc.constantFrom('GET', 'POST', 'HEAD', 'OPTIONS', 'TRACE', 'CONNECT', 'X', 'G T', '')
const targets = fc.constantFrom('/', '/a?b', '*', 'http://other/x', '/#f', 'a:1', '/ ', '//x')
const versions = fc.constantFrom('HTTP/1.1', 'HTTP/1.0', 'HTTP/2.0', 'HTTP/1.11', 'http/1.1')
const fields = fc.constantFrom(
  '\r\nHost: a',
  '\r\nHost: b',
  '\r\nHost: a\r\nConnection: close',
  '\r\nHost: a\r\nContent-Length: 5\r\nX-A: 1',
  '\r\nHost: a\r\nTransfer-Encoding: chunked',
  '\r\nhost: a',
  '\r\nHost: a\r\nHost: a',
  '\r\nHost: a\r\nMax-Forwards: 0',
  '',
)

void t.test('a connection that remembers its last request says what one without memory says', t => {
  const heads = fc.array(fc.tuple(methods, targets, versions, fields), { minLength: 1, maxLength: 12 })
  fc.assert(
    fc.property(heads, fc.constantFrom(1, 2, 100), (sequence, maxHeaders) => {
      const memo = new RequestMemo()
      for (const [method, target, version, rest] of sequence) {
        const text = `${method} ${target} ${version}${rest}`
        deepStrictEqual(memo.parse(text, maxHeaders), parseRequestHead(text, maxHeaders))
      }
    }),
    { numRuns: 3000 },
  )
  t.end()
})

void t.test('the same for answers, whose meaning depends on the method asked', t => {
  const answers = fc.constantFrom(
    'HTTP/1.1 200 OK\r\nContent-Length: 5',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked',
    'HTTP/1.1 204 No Content',
    'HTTP/1.1 abc',
    'HTTP/1.0 200 OK',
  )
  fc.assert(
    fc.property(fc.array(fc.tuple(answers, fc.constantFrom('GET', 'HEAD', 'POST'))), sequence => {
      const memo = new ResponseMemo()
      for (const [text, method] of sequence) deepStrictEqual(memo.parse(text, method), parseResponseHead(text, method))
    }),
    { numRuns: 500 },
  )
  t.end()
})
