import { bad, cut, GET, GET_10, got, HEAD, HOST, type AnswerCase } from './case.ts'

const OK = 'HTTP/1.1 200 OK\r\n'
const CHUNKED = 'Transfer-Encoding: chunked\r\n'
const chunked = (body: string): string => `${OK}${CHUNKED}\r\n${body}`
const UPGRADE = `GET / HTTP/1.1\r\n${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`
const EVIL = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil'

const BAD_LENGTHS = [
  '',
  '-1',
  '+1',
  '0x1',
  '1a',
  '1 1',
  '1, 1',
  '1,',
  '"1"',
  '\xa01',
  '1\xa0',
  '1.0',
  '1\x0b',
  '99999999999999999999',
]
const BAD_CODINGS = [
  'gzip',
  'identity',
  'x',
  'gzip, chunked',
  'chunked, gzip',
  'chunked, chunked',
  'chunked,',
  'chunked;a=b',
  '"chunked"',
  '\xa0chunked',
  '\x0bchunked',
  '',
]

export const ANSWER_BODIES: readonly AnswerCase[] = [
  got('ab-sized', 'must', '9112 §6.3', `${OK}Content-Length: 5\r\n\r\nhello`, `${OK}Content-Length: 5\r\n\r\nhello`),
  got(
    'ab-sized-zeros',
    'must',
    '9110 §8.6',
    `${OK}Content-Length: 005\r\n\r\nhello`,
    `${OK}Content-Length: 5\r\n\r\nhello`,
  ),
  got('ab-sized-0', 'must', '9112 §6.3', `${OK}Content-Length: 0\r\n\r\n`, `${OK}Content-Length: 0\r\n\r\n`),
  got(
    'ab-binary',
    'must',
    '9110 §6.4',
    `${OK}Content-Length: 6\r\n\r\n\r\n\r\n\0\xff`,
    `${OK}Content-Length: 6\r\n\r\n\r\n\r\n\0\xff`,
  ),
  ...BAD_LENGTHS.map(value =>
    bad(`ab-length-${JSON.stringify(value)}`, 'critical', '9112 §6.3', `${OK}Content-Length: ${value}\r\n\r\na`),
  ),
  bad('ab-two-lengths', 'critical', '9112 §6.3', `${OK}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`),
  bad('ab-two-equal-lengths', 'critical', '9112 §6.3', `${OK}Content-Length: 1\r\nA: b\r\ncontent-length: 1\r\n\r\na`),
  bad('ab-cl-te', 'critical', '9112 §6.3', `${OK}Content-Length: 3\r\n${CHUNKED}\r\n0\r\n\r\n`),
  bad('ab-te-cl', 'critical', '9112 §6.3', `${OK}${CHUNKED}Content-Length: 3\r\n\r\n0\r\n\r\n`),
  ...BAD_CODINGS.map(value =>
    bad(
      `ab-coding-${JSON.stringify(value)}`,
      'critical',
      '9112 §6.1',
      `${OK}Transfer-Encoding: ${value}\r\n\r\n0\r\n\r\n`,
    ),
  ),
  bad('ab-two-codings', 'critical', '9112 §6.1', `${OK}${CHUNKED}${CHUNKED}\r\n0\r\n\r\n`),
  bad('ab-coding-in-1.0', 'critical', '9112 §6.1', `HTTP/1.0 200 OK\r\n${CHUNKED}\r\n0\r\n\r\n`),
  bad('ab-coding-space-colon', 'critical', '9112 §5.1', `${OK}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n`),

  ...[
    '0\r\n\r\n',
    '5\r\nhello\r\n0\r\n\r\n',
    '1;a=b\r\na\r\n0;c\r\n\r\n',
    '1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n',
    'A\r\n0123456789\r\n00\r\n\r\n',
  ].map(body => got(`ab-chunked-${JSON.stringify(body)}`, 'must', '9112 §7.1', chunked(body), chunked(body))),
  got(
    'ab-chunked-odd-case',
    'must',
    '9112 §7',
    `${OK}transfer-encoding:\tCHUNKED \r\n\r\n0\r\n\r\n`,
    chunked('0\r\n\r\n'),
  ),
  ...[
    'x\r\n',
    '\r\n',
    '0x1\r\na\r\n0\r\n\r\n',
    '-1\r\n',
    '1 \r\na\r\n0\r\n\r\n',
    '1\na\n0\n\n',
    '1\r\nab\r\n0\r\n\r\n',
    '1\r\na0\r\n\r\n',
    '10000000000000001\r\na\r\n0\r\n\r\n',
    '1;\r\na\r\n0\r\n\r\n',
    '1;a\nb\r\na\r\n0\r\n\r\n',
    '0\r\nContent-Length: 4\r\n\r\n',
    '0\r\nSet-Cookie: a=b\r\n\r\n',
    '0\r\nA : b\r\n\r\n',
    '0\r\nA: b\n\r\n',
    `0\r\n${'A: b\r\n'.repeat(5000)}\r\n`,
    `${`1;a=${'b'.repeat(3000)}\r\na\r\n`.repeat(20)}0\r\n\r\n`,
  ].map((body, index) =>
    cut(`ab-chunked-broken-${index}-${JSON.stringify(body.slice(0, 20))}`, 'critical', '9112 §7.1', chunked(body)),
  ),
  ...['', '5', '5\r\nhel', '5\r\nhello\r\n', '5\r\nhello\r\n0\r\n', '5\r\nhello\r\n0\r\nA: b\r\n'].map(body =>
    cut(`ab-chunked-short-${JSON.stringify(body)}`, 'critical', '9112 §8', chunked(body), { after: 'ends' }),
  ),
  cut('ab-chunked-short-to-1.0', 'critical', '9112 §8', chunked('5\r\nhel'), { after: 'ends', request: GET_10 }),
  cut('ab-chunked-reset', 'critical', '9112 §8', chunked('5\r\nhel'), { after: 'resets' }),
  cut('ab-sized-short', 'critical', '9112 §8', `${OK}Content-Length: 10\r\n\r\nhello`, { after: 'ends' }),
  cut('ab-sized-nothing', 'critical', '9112 §8', `${OK}Content-Length: 10\r\n\r\n`, { after: 'ends' }),
  cut('ab-sized-reset', 'critical', '9112 §8', `${OK}Content-Length: 10\r\n\r\nhello`, { after: 'resets' }),
  cut('ab-sized-short-to-1.0', 'critical', '9112 §8', `${OK}Content-Length: 10\r\n\r\nhello`, {
    after: 'ends',
    request: GET_10,
  }),

  got('ab-until-close', 'must', '9112 §6.3', `${OK}A: b\r\n\r\nhello`, `${OK}A: b\r\nConnection: close\r\n\r\nhello`, {
    after: 'ends',
    closes: true,
  }),
  got('ab-until-close-empty', 'must', '9112 §6.3', `${OK}\r\n`, `${OK}Connection: close\r\n\r\n`, {
    after: 'ends',
    closes: true,
  }),
  got(
    'ab-until-close-1.0',
    'must',
    '9112 §6.3',
    'HTTP/1.0 200 OK\r\n\r\nhello',
    `${OK}Connection: close\r\n\r\nhello`,
    {
      after: 'ends',
      closes: true,
    },
  ),
  got('ab-until-close-to-1.0', 'must', '9112 §6.3', `${OK}\r\nhello`, `${OK}Connection: close\r\n\r\nhello`, {
    request: GET_10,
    after: 'ends',
    closes: true,
  }),
  cut('ab-until-close-reset', 'critical', '9112 §8', `${OK}\r\nhello`, { after: 'resets' }),
  got(
    'ab-until-close-two-answers',
    'critical',
    '9112 §6.3',
    `${OK}\r\n${EVIL}`,
    `${OK}Connection: close\r\n\r\n${EVIL}`,
    {
      after: 'ends',
      closes: true,
    },
  ),
  got(
    'ab-chunked-to-1.0',
    'must',
    '9112 §7',
    `${OK}${CHUNKED}\r\n3;x\r\nabc\r\n2\r\nde\r\n0\r\nX: y\r\n\r\n`,
    `${OK}Connection: close\r\n\r\nabcde`,
    { request: GET_10, closes: true },
  ),

  // No body, whatever the fields say; what comes all the same is no next answer.
  ...[204, 304].flatMap(status => {
    const line = `HTTP/1.1 ${status} X\r\n`
    const kept = status === 304 ? 'Content-Length: 5\r\n' : ''
    return [
      got(`nb-${status}`, 'must', '9112 §6.3', `${line}\r\n`, `${line}\r\n`),
      got(`nb-${status}-length`, 'must', '9112 §6.3', `${line}Content-Length: 5\r\n\r\n`, `${line}${kept}\r\n`),
      got(`nb-${status}-coding`, 'must', '9112 §6.3', `${line}${CHUNKED}\r\n`, `${line}\r\n`),
      got(
        `nb-${status}-with-body`,
        'critical',
        '9112 §6.3',
        `${line}Content-Length: 5\r\n\r\nhello`,
        `${line}${kept}\r\n`,
        { reuses: false },
      ),
      got(`nb-${status}-with-answer`, 'critical', 'response queue poisoning', `${line}\r\n${EVIL}`, `${line}\r\n`, {
        reuses: false,
      }),
    ]
  }),
  got('nb-head-length', 'must', '9110 §9.3.2', `${OK}Content-Length: 5\r\n\r\n`, `${OK}Content-Length: 5\r\n\r\n`, {
    request: HEAD,
  }),
  got('nb-head-coding', 'must', '9110 §9.3.2', `${OK}${CHUNKED}\r\n`, `${OK}\r\n`, { request: HEAD }),
  got(
    'nb-head-with-body',
    'critical',
    '9110 §9.3.2',
    `${OK}Content-Length: 5\r\n\r\nhello`,
    `${OK}Content-Length: 5\r\n\r\n`,
    {
      request: HEAD,
      reuses: false,
    },
  ),
  got('nb-head-with-chunks', 'critical', '9110 §9.3.2', `${OK}${CHUNKED}\r\n5\r\nhello\r\n0\r\n\r\n`, `${OK}\r\n`, {
    request: HEAD,
    reuses: false,
  }),
  got(
    'nb-head-404',
    'must',
    '9110 §9.3.2',
    'HTTP/1.1 404 X\r\nContent-Length: 7\r\n\r\n',
    'HTTP/1.1 404 X\r\nContent-Length: 7\r\n\r\n',
    {
      request: HEAD,
    },
  ),
  bad('nb-head-bad-length', 'must', '9112 §6.3', `${OK}Content-Length: x\r\n\r\n`, { request: HEAD }),

  // Response queue poisoning (RFC 9112 section 9.2).
  got(
    'qp-two-answers',
    'critical',
    '9112 §9.2',
    `${OK}Content-Length: 1\r\n\r\na${EVIL}`,
    `${OK}Content-Length: 1\r\n\r\na`,
    { reuses: false },
  ),
  got(
    'qp-extra-octets',
    'critical',
    '9112 §9.2',
    `${OK}Content-Length: 1\r\n\r\nab`,
    `${OK}Content-Length: 1\r\n\r\na`,
    { reuses: false },
  ),
  got(
    'qp-extra-crlf',
    'critical',
    '9112 §9.2',
    `${OK}Content-Length: 1\r\n\r\na\r\n`,
    `${OK}Content-Length: 1\r\n\r\na`,
    { reuses: false },
  ),
  got('qp-after-chunked', 'critical', '9112 §9.2', `${chunked('0\r\n\r\n')}${EVIL}`, chunked('0\r\n\r\n'), {
    reuses: false,
  }),
  got(
    'qp-length-0-with-body',
    'critical',
    '9112 §9.2',
    `${OK}Content-Length: 0\r\n\r\nhello`,
    `${OK}Content-Length: 0\r\n\r\n`,
    { reuses: false },
  ),
  got(
    'qp-interim-after',
    'critical',
    '9112 §9.2',
    `${OK}Content-Length: 1\r\n\r\naHTTP/1.1 103 E\r\n\r\n`,
    `${OK}Content-Length: 1\r\n\r\na`,
    {
      reuses: false,
    },
  ),
  got(
    'qp-408-after',
    'critical',
    '9112 §9.2',
    `${OK}Content-Length: 1\r\n\r\naHTTP/1.1 408 X\r\nConnection: close\r\n\r\n`,
    `${OK}Content-Length: 1\r\n\r\na`,
    {
      reuses: false,
      after: 'ends',
    },
  ),

  // A refused upgrade is an ordinary answer, framed anew.
  got(
    'up-refused-sized',
    'critical',
    'WebSocket smuggling',
    'HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno',
    'HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno',
    {
      request: UPGRADE,
    },
  ),
  got(
    'up-refused-chunked',
    'critical',
    'WebSocket smuggling',
    `HTTP/1.1 403 No\r\n${CHUNKED}\r\n2\r\nno\r\n0\r\n\r\n`,
    `HTTP/1.1 403 No\r\n${CHUNKED}\r\n2\r\nno\r\n0\r\n\r\n`,
    {
      request: UPGRADE,
    },
  ),
  got(
    'up-refused-426',
    'critical',
    'WebSocket smuggling',
    'HTTP/1.1 426 X\r\nSec-WebSocket-Version: 13\r\nContent-Length: 0\r\n\r\n',
    'HTTP/1.1 426 X\r\nSec-WebSocket-Version: 13\r\nContent-Length: 0\r\n\r\n',
    {
      request: UPGRADE,
    },
  ),
  got(
    'up-refused-until-close',
    'critical',
    'WebSocket smuggling',
    'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\nno',
    'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\nno',
    {
      request: UPGRADE,
      after: 'ends',
      closes: true,
    },
  ),
  got(
    'up-answered-200',
    'critical',
    'WebSocket smuggling',
    `${OK}Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\nno`,
    `${OK}Content-Length: 2\r\n\r\nno`,
    {
      request: UPGRADE,
    },
  ),
  got(
    'ab-last-answer-then-fin',
    'must',
    '9112 §9.6',
    `${OK}Content-Length: 1\r\n\r\na`,
    `${OK}Content-Length: 1\r\n\r\na`,
    { after: 'ends', request: GET },
  ),
]
