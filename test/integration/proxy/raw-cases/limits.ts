import { forwarded, HOST, refused, served, type RequestCase } from './case.ts'

// By the limits that are the default: 32 KiB of head, 100 fields.

const many = (count: number): string => 'A: b\r\n'.repeat(count)

export const LIMITS: readonly RequestCase[] = [
  ...[8000, 16_000, 32_000].map(length =>
    served(
      `li-target-${length}`,
      'should',
      '9112 §3',
      `GET /${'a'.repeat(length - 1)} HTTP/1.1\r\n${HOST}\r\n`,
      forwarded(`GET /${'a'.repeat(length - 1)}`),
    ),
  ),
  refused('li-target-too-long', 'must', '9112 §3', `GET /${'a'.repeat(40_000)} HTTP/1.1\r\n${HOST}\r\n`, 414),
  refused('li-target-endless', 'must', '9112 §3', `GET /${'a'.repeat(100_000)}`, 414),
  refused('li-method-endless', 'must', '9112 §3', 'G'.repeat(100_000), 414),
  served(
    'li-value-16k',
    'should',
    '9110 §5.4',
    `GET / HTTP/1.1\r\n${HOST}A: ${'b'.repeat(16_000)}\r\n\r\n`,
    forwarded('GET /', `A: ${'b'.repeat(16_000)}\r\n`),
  ),
  refused('li-value-too-long', 'must', '9110 §5.4', `GET / HTTP/1.1\r\n${HOST}A: ${'b'.repeat(40_000)}\r\n\r\n`, 431),
  refused('li-name-too-long', 'must', '9110 §5.4', `GET / HTTP/1.1\r\n${HOST}${'A'.repeat(40_000)}: b\r\n\r\n`, 431),
  refused(
    'li-head-endless',
    'must',
    '9110 §5.4',
    `GET / HTTP/1.1\r\n${HOST}${'A: bbbbbbbbbbbbbbbb\r\n'.repeat(5000)}`,
    431,
  ),
  served(
    'li-fields-100',
    'should',
    '9110 §5.4',
    `GET / HTTP/1.1\r\n${HOST}${many(99)}\r\n`,
    forwarded('GET /', many(99)),
  ),
  refused('li-fields-101', 'must', '9110 §5.4', `GET / HTTP/1.1\r\n${HOST}${many(100)}\r\n`, 431),
  refused(
    'li-framing-after-the-limit',
    'critical',
    'maxHeadersCount',
    `POST / HTTP/1.1\r\n${HOST}${many(2000)}Content-Length: 5\r\n\r\nhello`,
    431,
  ),
  served(
    'li-body-100k',
    'must',
    '9110 §6.4',
    `POST / HTTP/1.1\r\n${HOST}Content-Length: 100000\r\n\r\n${'0123456789'.repeat(10_000)}`,
    forwarded('POST /', 'Content-Length: 100000\r\n', { body: '0123456789'.repeat(10_000) }),
  ),
  served(
    'li-pipelined-200',
    'should',
    '9112 §9.3.2',
    `GET / HTTP/1.1\r\n${HOST}\r\n`.repeat(200),
    Array.from({ length: 200 }, () => forwarded('GET /')),
  ),
]
