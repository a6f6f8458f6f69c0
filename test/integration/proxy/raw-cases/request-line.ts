import { forwarded, HOST, refused, served, type RequestCase } from './case.ts'

const line = (text: string): string => `${text}\r\n${HOST}\r\n`
const ALL_TOKEN_CHARACTERS = "!#$%&'*+-.^_`|~0aZ"

const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'QUERY', 'M-SEARCH', 'purge', 'get', 'trace']

export const REQUEST_LINE: readonly RequestCase[] = [
  ...METHODS.map(method =>
    served(`rl-method-${method}`, 'must', '9110 §9.1', line(`${method} /a HTTP/1.1`), forwarded(`${method} /a`)),
  ),
  served(
    'rl-method-all-characters',
    'must',
    '9110 §5.6.2',
    line(`${ALL_TOKEN_CHARACTERS} / HTTP/1.1`),
    forwarded(`${ALL_TOKEN_CHARACTERS} /`),
  ),
  refused('rl-method-empty', 'must', '9112 §3', line(' / HTTP/1.1')),
  ...['GE(T', 'GE"T', 'GE{T', 'GE:T', 'GE@T', 'G\0T', 'G\x80T', 'G\x01T', 'GE/T', 'GE,T'].map(method =>
    refused(`rl-method-${JSON.stringify(method)}`, 'must', '9110 §9.1', line(`${method} / HTTP/1.1`)),
  ),
  refused('rl-space-first', 'must', '9112 §2.2', line(' GET / HTTP/1.1')),
  refused('rl-two-spaces-before-target', 'must', '9112 §3', line('GET  / HTTP/1.1')),
  refused('rl-two-spaces-before-version', 'must', '9112 §3', line('GET /  HTTP/1.1')),
  refused('rl-space-after-version', 'must', '9112 §3', line('GET / HTTP/1.1 ')),
  refused('rl-tab', 'must', '9112 §3', line('GET\t/\tHTTP/1.1')),
  refused('rl-vertical-tab', 'must', '9112 §3', line('GET\x0b/\x0bHTTP/1.1')),
  refused('rl-space-in-target', 'critical', '9112 §3.2', line('GET /a b HTTP/1.1')),
  refused('rl-version-in-target', 'critical', '9112 §3.2', line('GET / HTTP/1.1 HTTP/1.1')),
  refused('rl-bare-cr', 'critical', '9112 §2.2', line('GET / HTTP/1.1\rX: y')),
  refused('rl-bare-cr-in-target', 'critical', '9112 §2.2', line('GET /\r HTTP/1.1')),
  refused('rl-bare-lf', 'critical', '9112 §2.2', `GET / HTTP/1.1\n${HOST}\r\n`),
  refused('rl-only-lf', 'critical', '9112 §2.2', 'GET / HTTP/1.1\nHost: app\n\n'),
  refused('rl-nul', 'critical', '9112 §2.2', line('GET /\0 HTTP/1.1')),
  refused('rl-cr-cr-lf', 'critical', '9112 §2.2', `GET / HTTP/1.1\r\r\n${HOST}\r\n`),
  served('rl-empty-line-first', 'should', '9112 §2.2', `\r\n${line('GET / HTTP/1.1')}`, forwarded('GET /')),
  served('rl-empty-lines-first', 'should', '9112 §2.2', `\r\n\r\n\r\n${line('GET / HTTP/1.1')}`, forwarded('GET /')),
  served('rl-empty-line-between', 'should', '9112 §2.2', `${line('GET /1 HTTP/1.1')}\r\n${line('GET /2 HTTP/1.1')}`, [
    forwarded('GET /1'),
    forwarded('GET /2'),
  ]),
  served(
    'rl-empty-line-after-body',
    'should',
    '9112 §2.2',
    `POST /1 HTTP/1.1\r\n${HOST}Content-Length: 2\r\n\r\nab\r\n${line('GET /2 HTTP/1.1')}`,
    [forwarded('POST /1', 'Content-Length: 2\r\n', { body: 'ab' }), forwarded('GET /2')],
  ),
  refused('rl-bare-lf-first', 'must', '9112 §2.2', `\n${line('GET / HTTP/1.1')}`),
  refused('rl-bare-cr-first', 'must', '9112 §2.2', `\r${line('GET / HTTP/1.1')}`),
  refused('rl-blank-line-of-spaces-first', 'must', '9112 §2.2', `  \r\n${line('GET / HTTP/1.1')}`),

  ...['1.2', '1.7', '1.9'].map(version =>
    served(
      `rl-version-${version}`,
      'must',
      '9110 §2.5',
      line(`GET / HTTP/${version}`),
      forwarded('GET /', '', { via: version }),
    ),
  ),
  ...['2.0', '3.0', '0.9', '9.9', '1.10', '01.1', '1', '1.', '11', '+1.1', '1,1', '1.1a', '1.x', '-1.1', '1.1.1'].map(
    version => refused(`rl-version-${version}`, 'must', '9112 §2.3', line(`GET / HTTP/${version}`)),
  ),
  ...['http/1.1', 'Http/1.1', 'HTTPS/1.1', 'HTTP 1.1', 'HTTP /1.1', 'HTP/1.1', 'ICY/1.1', 'SIP/2.0'].map(name =>
    refused(`rl-protocol-${name}`, 'must', '9112 §2.3', line(`GET / ${name}`)),
  ),
  refused('rl-http09', 'must', '9112 §2.3', 'GET /\r\n'),
  refused('rl-http09-with-fields', 'must', '9112 §2.3', line('GET /')),
  refused('rl-http2-preface', 'must', '9113 §3.4', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  refused('rl-tls-hello', 'must', '9112 §2.2', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'),
  refused('rl-socks4', 'must', '9112 §2.2', '\x04\x01\x00\x50\x7f\x00\x00\x01\x00'),
  refused('rl-socks5', 'must', '9112 §2.2', '\x05\x01\x00'),
  refused('rl-proxy-v1', 'critical', 'spoofed peer', `PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n${line('GET / HTTP/1.1')}`),
  refused(
    'rl-proxy-v2',
    'critical',
    'spoofed peer',
    `\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\x01\x02\x03\x04\x05\x06\x07\x08\x00\x01\x00\x02${line('GET / HTTP/1.1')}`,
  ),
  refused('rl-smtp', 'must', 'cross-protocol', 'EHLO app\r\nMAIL FROM:<a@b>\r\n'),

  refused('rl-connect', 'critical', '9110 §9.3.6', 'CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n', 405),
  refused('rl-connect-path', 'critical', '9110 §9.3.6', line('CONNECT / HTTP/1.1'), 405),
  refused('rl-connect-lower-case', 'critical', '9112 §3.2.3', line('connect a:443 HTTP/1.1')),
  refused(
    'rl-connect-with-body',
    'critical',
    '9110 §9.3.6',
    `CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\nContent-Length: 40\r\n\r\n${line('GET /evil HTTP/1.1')}`,
    405,
  ),
  refused('rl-trace', 'must', '9110 §9.3.8', line('TRACE / HTTP/1.1'), 405),
  refused('rl-trace-max-forwards', 'must', '9110 §7.6.2', `TRACE / HTTP/1.1\r\n${HOST}Max-Forwards: 0\r\n\r\n`, 405),
]
