import { forwarded, HOST, refused, served, type RequestCase } from './case.ts'

const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n'
const post = (fields: string, body = ''): string => `POST / HTTP/1.1\r\n${HOST}${fields}\r\n${body}`
const EXPECT = 'Expect: 100-continue\r\n'

/** The instance answers 100 as soon as it has a head that asks for it. */
export const EXPECTATIONS: readonly RequestCase[] = [
  served(
    'ex-continue',
    'must',
    '9110 §10.1.1',
    post(`${EXPECT}Content-Length: 5\r\n`),
    forwarded('POST /', 'Content-Length: 5\r\n', { last: EXPECT, body: 'hello' }),
    { later: [{ after: CONTINUE, send: 'hello' }] },
  ),
  served(
    'ex-continue-odd-case',
    'must',
    '9110 §10.1.1',
    post('expect: 100-CONTINUE\r\nTransfer-Encoding: chunked\r\n'),
    forwarded('POST /', 'Transfer-Encoding: chunked\r\n', { last: EXPECT, body: '0\r\n\r\n' }),
    { later: [{ after: CONTINUE, send: '0\r\n\r\n' }] },
  ),
  served(
    'ex-continue-body-at-once',
    'must',
    '9110 §10.1.1',
    post(`${EXPECT}Content-Length: 5\r\n`, 'hello'),
    forwarded('POST /', 'Content-Length: 5\r\n', { last: EXPECT, body: 'hello' }),
  ),
  served(
    'ex-continue-then-request',
    'critical',
    'Expect smuggling',
    post(`${EXPECT}Content-Length: 5\r\n`, `helloGET /2 HTTP/1.1\r\n${HOST}\r\n`),
    [forwarded('POST /', 'Content-Length: 5\r\n', { last: EXPECT, body: 'hello' }), forwarded('GET /2')],
  ),
  served(
    'ex-continue-without-body',
    'critical',
    'Expect smuggling',
    `GET / HTTP/1.1\r\n${HOST}${EXPECT}\r\nGET /2 HTTP/1.1\r\n${HOST}\r\n`,
    [forwarded('GET /', '', { last: EXPECT }), forwarded('GET /2')],
  ),
  served(
    'ex-continue-in-1.0-ignored',
    'must',
    '9110 §10.1.1',
    `POST / HTTP/1.0\r\n${HOST}${EXPECT}Content-Length: 2\r\n\r\nhi`,
    forwarded('POST /', 'Content-Length: 2\r\n', { via: '1.0', body: 'hi' }),
    { closes: true },
  ),
  served(
    'ex-not-by-connection',
    'must',
    '9110 §7.6.1',
    post(`Connection: Expect\r\n${EXPECT}Content-Length: 2\r\n`, 'hi'),
    forwarded('POST /', 'Content-Length: 2\r\n', { last: EXPECT, body: 'hi' }),
  ),
  ...[
    'tea',
    '100-continue, tea',
    '100-continue, 100-continue',
    '',
    '100 continue',
    '\xa0100-continue',
    '100-continue;q=1',
    'y 100-continue',
  ].map(value =>
    refused(
      `ex-unknown-${JSON.stringify(value)}`,
      'must',
      '9110 §10.1.1',
      post(`Expect: ${value}\r\nContent-Length: 2\r\n`, 'hi'),
      417,
    ),
  ),
  refused('ex-two', 'must', '9110 §10.1.1', post(`${EXPECT}${EXPECT}Content-Length: 2\r\n`, 'hi'), 417),
  refused('ex-folded', 'critical', 'Expect smuggling', post('Expect:\r\n 100-continue\r\nContent-Length: 2\r\n', 'hi')),
]
