import { bad, GET_10, got, HEAD, POST, type AnswerCase } from './case.ts'

const whole = (line: string, fields = ''): string => `${line}\r\n${fields}Content-Length: 1\r\n\r\na`
const LONG_VALUE = 'b'.repeat(20_000)

/** Passed on as they are. */
const KEPT: readonly (readonly [id: string, fields: string])[] = [
  ['set-cookie-not-joined', 'Set-Cookie: a=1; Path=/\r\nSet-Cookie: b=2, c\r\nSet-Cookie: a=3\r\n'],
  ['equal-names-in-order', 'A: 1\r\nB: 2\r\nA: 3\r\n'],
  ['obs-text', 'A: \x80\xa0\xff\r\n'],
  ['empty-value', 'A:\r\n'],
  ['proto', '__proto__: 1\r\nconstructor: 2\r\n'],
  ['location', 'Location: /a%0d%0ab\r\n'],
  ['trailer', 'Trailer: X\r\n'],
  ['www-authenticate', 'WWW-Authenticate: Basic realm="a"\r\nWWW-Authenticate: Negotiate\r\n'],
  ['date', 'Date: Mon, 01 Jan 2024 00:00:00 GMT\r\n'],
  ['server', 'Server: x\r\n'],
  ['via', 'Via: 1.1 inner\r\n'],
  ['long-value', `A: ${LONG_VALUE}\r\n`],
  ['nine-hundred-fields', 'A: b\r\n'.repeat(900)],
]

export const ANSWER_HEADS: readonly AnswerCase[] = [
  ...[200, 201, 202, 203, 205, 206, 207, 299, 300, 301, 399, 400, 404, 418, 429, 500, 503, 599].map(status =>
    got(`as-status-${status}`, 'must', '9110 §15', whole(`HTTP/1.1 ${status} Word`), whole(`HTTP/1.1 ${status} Word`)),
  ),
  ...['000', '099', '99', '1', '600', '999', '2000', '20', '-20', '+200', '0x200', 'abc', '2OO', '200.1', '20\xb2'].map(
    status => bad(`as-status-${status}`, 'must', '9110 §15', whole(`HTTP/1.1 ${status} Word`)),
  ),
  got('as-no-reason', 'must', '9112 §4', whole('HTTP/1.1 200 '), whole('HTTP/1.1 200 OK')),
  got('as-no-reason-no-blank', 'should', '9112 §4', whole('HTTP/1.1 200'), whole('HTTP/1.1 200 OK')),
  got('as-unknown-no-reason', 'should', '9112 §4', whole('HTTP/1.1 299 '), whole('HTTP/1.1 299 ')),
  got(
    'as-reason-words',
    'must',
    '9112 §4',
    whole("HTTP/1.1 404 Isn't  here: \t(1)"),
    whole("HTTP/1.1 404 Isn't  here: \t(1)"),
  ),
  got('as-reason-obs-text', 'must', '9112 §4', whole('HTTP/1.1 200 \xc3\xa4\xff'), whole('HTTP/1.1 200 \xc3\xa4\xff')),
  ...[0, 1, 8, 11, 12, 13, 27, 127].map(code =>
    bad(`as-reason-octet-${code}`, 'must', '9112 §4', whole(`HTTP/1.1 200 O${String.fromCharCode(code)}K`)),
  ),
  got('as-version-1.0', 'must', '9110 §2.5', whole('HTTP/1.0 200 OK'), whole('HTTP/1.1 200 OK'), { reuses: false }),
  got('as-version-1.5', 'must', '9110 §2.5', whole('HTTP/1.5 200 OK'), whole('HTTP/1.1 200 OK')),
  ...['HTTP/2.0', 'HTTP/0.9', 'http/1.1', 'HTTP/1', 'HTTP/11', 'HTTP/1.10', 'ICY', 'SIP/2.0', 'HTTPS/1.1', ''].map(
    version => bad(`as-version-${version}`, 'must', '9112 §4', whole(`${version} 200 OK`)),
  ),
  bad('as-two-blanks', 'must', '9112 §4', whole('HTTP/1.1  200 OK')),
  bad('as-tab', 'must', '9112 §4', whole('HTTP/1.1\t200\tOK')),
  bad('as-blank-first', 'must', '9112 §4', whole(' HTTP/1.1 200 OK')),
  bad('as-empty-line-first', 'must', '9112 §2.2', `\r\n${whole('HTTP/1.1 200 OK')}`),
  bad('as-bare-lf', 'critical', '9112 §2.2', 'HTTP/1.1 200 OK\nContent-Length: 1\n\na'),
  bad('as-bare-lf-in-line', 'critical', '9112 §2.2', 'HTTP/1.1 200 OK\nContent-Length: 1\r\n\r\na'),
  bad('as-http09', 'must', '9112 §2.3', '<html>hello</html>\r\n', { after: 'ends' }),
  bad('as-ssh', 'must', 'cross-protocol', 'SSH-2.0-OpenSSH_9.2\r\n'),
  bad('as-garbage', 'must', '9112 §4', '\0\x01\x02\x03'),
  bad('as-request', 'must', '9112 §4', 'GET / HTTP/1.1\r\nHost: app\r\n\r\n'),
  bad('as-nothing', 'must', '9110 §15.6.3', '', { after: 'ends' }),
  bad('as-nothing-reset', 'must', '9110 §15.6.3', '', { after: 'resets' }),
  bad('as-half-line', 'must', '9112 §8', 'HTTP/1.1 20', { after: 'ends' }),
  bad('as-half-head', 'must', '9112 §8', 'HTTP/1.1 200 OK\r\nContent-Len', { after: 'ends' }),
  bad('as-half-head-reset', 'must', '9112 §8', 'HTTP/1.1 200 OK\r\nContent-Len', { after: 'resets' }),

  ...KEPT.map(([id, fields]) =>
    got(`af-kept-${id}`, 'must', '9110 §5', whole('HTTP/1.1 200 OK', fields), whole('HTTP/1.1 200 OK', fields)),
  ),
  bad('af-no-colon', 'must', '9112 §5', whole('HTTP/1.1 200 OK', 'abc\r\n')),
  bad('af-no-name', 'must', '9112 §5', whole('HTTP/1.1 200 OK', ': a\r\n')),
  bad('af-space-before-colon', 'critical', '9112 §5.1', whole('HTTP/1.1 200 OK', 'A : b\r\n')),
  bad('af-fold', 'critical', '9112 §5.2', whole('HTTP/1.1 200 OK', 'A: b\r\n c\r\n')),
  bad('af-fold-tab', 'critical', '9112 §5.2', whole('HTTP/1.1 200 OK', 'A: b\r\n\tc\r\n')),
  bad('af-space-first', 'critical', '9112 §2.2', whole('HTTP/1.1 200 OK', ' A: b\r\n')),
  bad('af-bare-lf', 'critical', '9112 §2.2', whole('HTTP/1.1 200 OK', 'A: b\nC: d\r\n')),
  bad('af-bare-cr', 'critical', '9112 §2.2', whole('HTTP/1.1 200 OK', 'A: b\rC: d\r\n')),
  bad(
    'af-split-location',
    'critical',
    'response splitting',
    whole('HTTP/1.1 302 Found', 'Location: /a\rSet-Cookie: b\r\n'),
  ),
  ...[0, 1, 11, 12, 27, 127].map(code =>
    bad(
      `af-value-octet-${code}`,
      'must',
      '9110 §5.5',
      whole('HTTP/1.1 200 OK', `A: b${String.fromCharCode(code)}\r\n`),
    ),
  ),
  ...[0, 32, 34, 40, 47, 64, 128, 255].map(code =>
    bad(
      `af-name-octet-${code}`,
      'must',
      '9110 §5.6.2',
      whole('HTTP/1.1 200 OK', `A${String.fromCharCode(code)}B: c\r\n`),
    ),
  ),
  bad('af-too-long', 'must', '9110 §5.4', whole('HTTP/1.1 200 OK', `A: ${LONG_VALUE}${LONG_VALUE}\r\n`)),
  bad('af-endless', 'must', '9110 §5.4', `HTTP/1.1 200 OK\r\nA: ${'b'.repeat(200_000)}`),
  bad('af-too-many', 'must', '9110 §5.4', whole('HTTP/1.1 200 OK', 'A: b\r\n'.repeat(1001))),

  // Of one hop, or named (RFC 9110 section 7.6.1).
  ...[
    'Keep-Alive: timeout=5',
    'Proxy-Connection: x',
    'Proxy-Authenticate: x',
    'TE: x',
    'Upgrade: h2c',
    'Connection: keep-alive',
  ].map(field =>
    got(`af-hop-${field}`, 'must', '9110 §7.6.1', whole('HTTP/1.1 200 OK', `${field}\r\n`), whole('HTTP/1.1 200 OK')),
  ),
  got(
    'af-named',
    'must',
    '9110 §7.6.1',
    whole('HTTP/1.1 200 OK', 'X-A: 1\r\nConnection: x-a, Set-Cookie2\r\nX-B: 2\r\nX-A: 3\r\n'),
    whole('HTTP/1.1 200 OK', 'X-B: 2\r\n'),
  ),
  got(
    'af-cannot-remove',
    'critical',
    '9110 §7.6.1',
    whole('HTTP/1.1 200 OK', 'Date: x\r\nConnection: Content-Length, Date, Transfer-Encoding\r\n'),
    whole('HTTP/1.1 200 OK', 'Date: x\r\n'),
  ),
  got('af-close', 'must', '9112 §9.6', whole('HTTP/1.1 200 OK', 'Connection: close\r\n'), whole('HTTP/1.1 200 OK'), {
    reuses: false,
  }),
  got(
    'af-close-list',
    'must',
    '9112 §9.6',
    whole('HTTP/1.1 200 OK', 'Connection: x, Close\r\n'),
    whole('HTTP/1.1 200 OK'),
    {
      reuses: false,
    },
  ),
  got(
    'af-1.0-keep-alive',
    'should',
    '9112 §9.3',
    whole('HTTP/1.0 200 OK', 'Connection: Keep-Alive\r\n'),
    whole('HTTP/1.1 200 OK'),
  ),
  got(
    'af-timeout-too-short',
    'should',
    'idle race',
    whole('HTTP/1.1 200 OK', 'Keep-Alive: timeout=1, max=9\r\n'),
    whole('HTTP/1.1 200 OK'),
    {
      reuses: false,
    },
  ),
  got(
    'af-426-says-what-for',
    'should',
    '9110 §15.5.22',
    whole('HTTP/1.1 426 Upgrade Required', 'Connection: Upgrade\r\nUpgrade: websocket\r\n'),
    'HTTP/1.1 426 Upgrade Required\r\nContent-Length: 1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\na',
  ),
  got(
    'af-to-1.0',
    'must',
    '9112 §9.3',
    whole('HTTP/1.1 200 OK'),
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\na',
    {
      request: GET_10,
      closes: true,
    },
  ),
  got(
    'af-to-1.0-keep-alive',
    'should',
    '9112 §9.3',
    whole('HTTP/1.1 200 OK'),
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\na',
    { request: 'GET / HTTP/1.0\r\nHost: app\r\nConnection: keep-alive\r\n\r\n' },
  ),
  got('af-head', 'must', '9110 §9.3.2', 'HTTP/1.1 200 OK\r\nA: b\r\n\r\n', 'HTTP/1.1 200 OK\r\nA: b\r\n\r\n', {
    request: HEAD,
  }),

  // Interim answers (RFC 9110 section 15.2).
  got(
    'in-103',
    'must',
    '9110 §15.2',
    `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${whole('HTTP/1.1 200 OK')}`,
    `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${whole('HTTP/1.1 200 OK')}`,
  ),
  got(
    'in-several',
    'must',
    '9110 §15.2',
    `${'HTTP/1.1 102 \r\n\r\n'.repeat(50)}${whole('HTTP/1.1 200 OK')}`,
    `${'HTTP/1.1 102 Processing\r\n\r\n'.repeat(50)}${whole('HTTP/1.1 200 OK')}`,
  ),
  got(
    'in-unasked-100',
    'must',
    '9110 §15.2',
    `HTTP/1.1 100 Continue\r\n\r\n${whole('HTTP/1.1 200 OK')}`,
    `HTTP/1.1 100 Continue\r\n\r\n${whole('HTTP/1.1 200 OK')}`,
  ),
  got(
    'in-unknown-199',
    'must',
    '9110 §15.2',
    `HTTP/1.1 199 X\r\n\r\n${whole('HTTP/1.1 200 OK')}`,
    `HTTP/1.1 199 X\r\n\r\n${whole('HTTP/1.1 200 OK')}`,
  ),
  got(
    'in-framing-dropped',
    'critical',
    '9112 §6.3',
    `HTTP/1.1 103 E\r\nContent-Length: 5\r\nConnection: close\r\nKeep-Alive: x\r\nA: b\r\n\r\n${whole('HTTP/1.1 200 OK')}`,
    `HTTP/1.1 103 E\r\nA: b\r\n\r\n${whole('HTTP/1.1 200 OK')}`,
  ),
  got(
    'in-chunked-dropped',
    'critical',
    '9112 §6.1',
    `HTTP/1.1 103 E\r\nTransfer-Encoding: chunked\r\n\r\n${whole('HTTP/1.1 200 OK')}`,
    `HTTP/1.1 103 E\r\n\r\n${whole('HTTP/1.1 200 OK')}`,
  ),
  got(
    'in-none-to-1.0',
    'must',
    '9110 §15.2',
    `HTTP/1.1 103 E\r\n\r\n${whole('HTTP/1.1 200 OK')}`,
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\na',
    {
      request: GET_10,
      closes: true,
    },
  ),
  bad('in-malformed', 'must', '9112 §4', `HTTP/1.1 103 E\r\nA b\r\n\r\n${whole('HTTP/1.1 200 OK')}`),
  bad(
    'in-unasked-101',
    'critical',
    '9110 §15.2.2',
    'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nraw',
  ),
  bad('in-unasked-101-bare', 'critical', '9110 §15.2.2', 'HTTP/1.1 101 X\r\n\r\n', { request: POST }),
  bad('in-other-101', 'critical', '9110 §7.8', 'HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n', {
    request: 'GET / HTTP/1.1\r\nHost: app\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
  }),
  bad('in-101-without-protocol', 'critical', '9110 §7.8', 'HTTP/1.1 101 X\r\nConnection: Upgrade\r\n\r\n', {
    request: 'GET / HTTP/1.1\r\nHost: app\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
  }),
]
