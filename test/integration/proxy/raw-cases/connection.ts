import { forwarded, HOST, refused, served, type RequestCase } from './case.ts'

const get = (fields: string): string => `GET / HTTP/1.1\r\n${HOST}${fields}\r\n`
const get10 = (fields: string): string => `GET / HTTP/1.0\r\n${HOST}${fields}\r\n`
const plain = forwarded('GET /')
const plain10 = forwarded('GET /', '', { via: '1.0' })

const UPGRADE = 'Connection: Upgrade\r\nUpgrade: websocket\r\n'
const upgraded = (value: string): string =>
  forwarded('GET /', '', { last: `Connection: Upgrade\r\nUpgrade: ${value}\r\n` })

export const CONNECTION: readonly RequestCase[] = [
  // Fields of one hop, named or not (RFC 9110 section 7.6.1).
  ...[
    'Keep-Alive: timeout=5',
    'Proxy-Connection: keep-alive',
    'Proxy-Connection: close',
    'TE: trailers',
    'TE: gzip;q=1, trailers',
    'Upgrade: websocket',
    'Upgrade: h2c',
    'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA',
    'Proxy-Authorization: Basic YTpi',
    'Proxy-Authenticate: Basic',
    'Connection: keep-alive',
    'Connection: Keep-Alive',
    'Connection:',
    'Connection: ,, ,',
    'Connection: keep-alive, keep-alive',
    'Connection: TE\r\nTE: trailers',
    'Connection: "close"',
  ].map(field => served(`co-hop-${field}`, 'must', '9110 §7.6.1', get(`${field}\r\n`), plain)),
  ...['close', 'Close', 'CLOSE', ' close ', 'keep-alive, close', 'close, keep-alive', 'x,close', '\tclose\t,'].map(
    value =>
      served(`co-close-${JSON.stringify(value)}`, 'must', '9112 §9.6', get(`Connection: ${value}\r\n`), plain, {
        closes: true,
      }),
  ),
  served('co-close-second-line', 'must', '9110 §5.3', get('Connection: a\r\nConnection: close\r\n'), plain, {
    closes: true,
  }),
  served('co-close-no-blank-of-unicode', 'should', '9110 §5.6.3', get('Connection: \xa0close\r\n'), plain),
  served(
    'co-names-one',
    'must',
    '9110 §7.6.1',
    get('Connection: X-A\r\nX-A: 1\r\nX-B: 2\r\n'),
    forwarded('GET /', 'X-B: 2\r\n'),
  ),
  served(
    'co-names-later-and-earlier',
    'must',
    '9110 §7.6.1',
    get('X-A: 1\r\nConnection: x-a , X-C\r\nX-C: 3\r\nX-B: 2\r\n'),
    forwarded('GET /', 'X-B: 2\r\n'),
  ),
  served(
    'co-names-every-line',
    'must',
    '9110 §7.6.1',
    get('X-A: 1\r\nX-B: 2\r\nx-a: 3\r\nConnection: keep-alive\r\nConnection: X-A\r\n'),
    forwarded('GET /', 'X-B: 2\r\n'),
  ),
  served(
    'co-names-no-prefix',
    'must',
    '9110 §7.6.1',
    get('Connection: X\r\nX-A: 1\r\n'),
    forwarded('GET /', 'X-A: 1\r\n'),
  ),
  served(
    'co-names-nothing',
    'must',
    '9110 §7.6.1',
    get('Connection: X-None\r\nX-A: 1\r\n'),
    forwarded('GET /', 'X-A: 1\r\n'),
  ),
  served(
    'co-names-proto',
    'must',
    'prototype',
    get('Connection: __proto__, constructor\r\n__proto__: 1\r\nA: 2\r\n'),
    forwarded('GET /', 'A: 2\r\n'),
  ),

  // What Connection may not remove (CVE-2022-31813, CVE-2022-1388, CVE-2026-33805).
  ...['X-Forwarded-For', 'X-Forwarded-Proto', 'X-Forwarded-Host', 'Via', 'X-Request-ID', 'traceparent', 'Host'].map(
    name =>
      served(`co-cannot-remove-${name}`, 'critical', '9110 §7.6.1', get(`Connection: close, ${name}\r\n`), plain, {
        closes: true,
      }),
  ),
  served(
    'co-cannot-remove-earlier-via',
    'must',
    '9110 §7.6.3',
    get('Via: 1.1 a\r\nConnection: Via\r\n'),
    forwarded('GET /', 'Via: 1.1 a\r\n'),
  ),
  served(
    'co-cannot-remove-length',
    'critical',
    '9110 §7.6.1',
    `POST / HTTP/1.1\r\n${HOST}Connection: Content-Length\r\nContent-Length: 5\r\n\r\nhello`,
    forwarded('POST /', 'Content-Length: 5\r\n', { body: 'hello' }),
  ),
  served(
    'co-cannot-remove-coding',
    'critical',
    '9110 §7.6.1',
    `POST / HTTP/1.1\r\n${HOST}Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n`,
    forwarded('POST /', 'Transfer-Encoding: chunked\r\n', { body: '1\r\na\r\n0\r\n\r\n' }),
  ),

  // HTTP/1.0 clients.
  served('co-1.0', 'must', '9112 §9.3', get10(''), plain10, { closes: true }),
  served('co-1.0-keep-alive', 'should', '9112 §9.3', get10('Connection: keep-alive\r\n'), plain10),
  served('co-1.0-keep-alive-odd-case', 'should', '9112 §9.3', get10('Connection: Keep-Alive\r\n'), plain10),
  served('co-1.0-keep-alive-list', 'should', '9112 §9.3', get10('Connection: x, keep-alive\r\n'), plain10),
  served('co-1.0-keep-alive-close', 'must', '9112 §9.3', get10('Connection: keep-alive, close\r\n'), plain10, {
    closes: true,
  }),
  served('co-1.0-other-option', 'must', '9112 §9.3', get10('Connection: x\r\n'), plain10, { closes: true }),
  served('co-1.0-proxy-connection', 'must', '9112 App. C.2.2', get10('Proxy-Connection: keep-alive\r\n'), plain10, {
    closes: true,
  }),
  served('co-1.0-nothing-after', 'critical', '9112 §9.6', `${get10('')}GET /evil HTTP/1.1\r\n${HOST}\r\n`, plain10, {
    closes: true,
  }),
  served(
    'co-1.0-body',
    'must',
    '9112 §6.3',
    `POST / HTTP/1.0\r\n${HOST}Content-Length: 2\r\n\r\nhi`,
    forwarded('POST /', 'Content-Length: 2\r\n', { via: '1.0', body: 'hi' }),
    { closes: true },
  ),
  served('co-1.0-upgrade-ignored', 'must', '9110 §7.8', get10(UPGRADE), plain10, { closes: true }),
  served(
    'co-nothing-after-close',
    'critical',
    '9112 §9.6',
    `${get('Connection: close\r\n')}GET /evil HTTP/1.1\r\n${HOST}\r\n`,
    plain,
    {
      closes: true,
    },
  ),
  served('co-garbage-after-close', 'must', '9112 §9.6', `${get('Connection: close\r\n')}\0\0garbage`, plain, {
    closes: true,
  }),

  // Upgrades: asked for in full, for one protocol, without a body; never a protocol that hides requests.
  served('up-websocket', 'must', '9110 §7.8', get(UPGRADE), upgraded('websocket')),
  served(
    'up-odd-case',
    'must',
    '9110 §7.8',
    get('connection: keep-alive, uPGRADE\r\nupgrade: WebSocket\r\n'),
    upgraded('WebSocket'),
  ),
  served(
    'up-other-protocol',
    'should',
    '9110 §7.8',
    get('Connection: Upgrade\r\nUpgrade: raw/1.0\r\n'),
    upgraded('raw/1.0'),
  ),
  ...[
    'h2c',
    'H2C',
    'h2',
    'h2c-14',
    'HTTP/2.0',
    'http/1.1',
    'TLS/1.0',
    'h2c, websocket',
    'websocket, h2c',
    'websocket,',
    '',
  ].map(value =>
    served(
      `up-never-${value}`,
      'critical',
      'h2c smuggling',
      get(`Connection: Upgrade, HTTP2-Settings\r\nUpgrade: ${value}\r\nHTTP2-Settings: AAMA\r\n`),
      plain,
    ),
  ),
  served('up-two-lines', 'critical', '9110 §7.8', get(`${UPGRADE}Upgrade: h2c\r\n`), plain),
  served('up-not-in-connection', 'must', '9110 §7.8', get('Upgrade: websocket\r\n'), plain),
  served(
    'up-with-length',
    'critical',
    'upgrade with a body',
    `POST / HTTP/1.1\r\n${HOST}${UPGRADE}Content-Length: 3\r\n\r\nabc`,
    forwarded('POST /', 'Content-Length: 3\r\n', { body: 'abc' }),
  ),
  served(
    'up-with-chunked',
    'critical',
    'upgrade with a body',
    `POST / HTTP/1.1\r\n${HOST}${UPGRADE}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    forwarded('POST /', 'Transfer-Encoding: chunked\r\n', { body: '0\r\n\r\n' }),
  ),
  served('up-refused-then-request', 'critical', 'upgrade refused', `${get(UPGRADE)}GET /next HTTP/1.1\r\n${HOST}\r\n`, [
    upgraded('websocket'),
    forwarded('GET /next'),
  ]),
  refused('co-bad-name', 'must', '9110 §5.6.2', get('Connect\x00ion: close\r\n')),

  // Pipelining: in order, each by itself.
  served(
    'pi-three',
    'critical',
    '9112 §9.3.2',
    ['/1', '/2', '/3'].map(path => `GET ${path} HTTP/1.1\r\n${HOST}\r\n`).join(''),
    [forwarded('GET /1'), forwarded('GET /2'), forwarded('GET /3')],
  ),
  served(
    'pi-fields-stay-apart',
    'critical',
    '9112 §9.3.2',
    `GET /1 HTTP/1.1\r\n${HOST}A: 1\r\nConnection: A\r\n\r\nGET /2 HTTP/1.1\r\nHost: b\r\nA: 2\r\n\r\nGET /3 HTTP/1.1\r\n${HOST}\r\n`,
    [forwarded('GET /1'), forwarded('GET /2', 'A: 2\r\n', { host: 'b' }), forwarded('GET /3')],
  ),
  served(
    'pi-bodies',
    'critical',
    '9112 §9.3.2',
    `POST /1 HTTP/1.1\r\n${HOST}Content-Length: 3\r\n\r\nabcPOST /2 HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n2\r\nde\r\n0\r\n\r\nHEAD /3 HTTP/1.1\r\n${HOST}\r\nGET /4 HTTP/1.1\r\n${HOST}\r\n`,
    [
      forwarded('POST /1', 'Content-Length: 3\r\n', { body: 'abc' }),
      forwarded('POST /2', 'Transfer-Encoding: chunked\r\n', { body: '2\r\nde\r\n0\r\n\r\n' }),
      forwarded('HEAD /3'),
      forwarded('GET /4'),
    ],
  ),
  served(
    'pi-half-closed',
    'must',
    '9112 §9.6',
    `GET /1 HTTP/1.1\r\n${HOST}\r\nGET /2 HTTP/1.1\r\n${HOST}\r\n`,
    [forwarded('GET /1'), forwarded('GET /2')],
    { end: true, closes: true },
  ),
  served('pi-half-closed-one', 'must', '9112 §9.6', get(''), plain, { end: true, closes: true }),
  served('pi-half-closed-mid-head', 'must', '9112 §8', `${get('')}GET /2 HTTP/1.1\r\nHos`, plain, {
    end: true,
    closes: true,
  }),
]
