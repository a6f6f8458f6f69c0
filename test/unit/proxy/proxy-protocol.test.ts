import t from 'tap'
import { parseProxyHeader, type ProxyHeader } from '../../../proxy/connections/proxy-protocol.ts'

const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')

/** A header of version 2: command and family, then `rest` with its length before it. */
function v2(command: number, family: number, rest: Buffer): Buffer {
  const fixed = Buffer.from([command, family, rest.length >> 8, rest.length & 255])
  return Buffer.concat([SIGNATURE, fixed, rest])
}

const IPV4 = Buffer.from([203, 0, 113, 7, 198, 51, 100, 1, 0xc8, 0x22, 0x01, 0xbb])
const IPV6 = Buffer.concat([
  Buffer.from('20010db8000000000000000000000001', 'hex'),
  Buffer.from('00000000000000000000ffffc0000201', 'hex'),
  Buffer.from([0xc8, 0x22, 0x01, 0xbb]),
])
const V4 = { address: '203.0.113.7', port: 51234, localAddress: '198.51.100.1', localPort: 443 }

const WHOLE: [what: string, header: Buffer, addresses: (ProxyHeader & { state: 'whole' })['addresses']][] = [
  ['version 1, IPv4', Buffer.from('PROXY TCP4 203.0.113.7 198.51.100.1 51234 443\r\n'), V4],
  [
    'version 1, IPv6',
    Buffer.from('PROXY TCP6 2001:db8::1 ::ffff:192.0.2.1 0 65535\r\n'),
    { address: '2001:db8::1', port: 0, localAddress: '::ffff:192.0.2.1', localPort: 65535 },
  ],
  [
    'version 1, the longest there is',
    Buffer.from(`PROXY UNKNOWN ${'ffff:'.repeat(7)}ffff ${'ffff:'.repeat(7)}ffff 65535 65535\r\n`),
    null,
  ],
  ['version 1, unknown', Buffer.from('PROXY UNKNOWN\r\n'), null],
  ['version 2, IPv4', v2(0x21, 0x11, IPV4), V4],
  ['version 2, IPv4 with extensions', v2(0x21, 0x11, Buffer.concat([IPV4, Buffer.from([4, 0, 1, 0])])), V4],
  [
    'version 2, IPv6',
    v2(0x21, 0x21, IPV6),
    { address: '2001:db8::1', port: 51234, localAddress: '::ffff:192.0.2.1', localPort: 443 },
  ],
  ['version 2, local', v2(0x20, 0x11, IPV4), null],
  ['version 2, local and nothing else', v2(0x20, 0, Buffer.alloc(0)), null],
  ['version 2, unspecified', v2(0x21, 0, Buffer.alloc(7)), null],
  ['version 2, a Unix socket', v2(0x21, 0x31, Buffer.alloc(216)), null],
  ['version 2, as long as is taken', v2(0x21, 0x11, Buffer.concat([IPV4, Buffer.alloc(2048 - 12)])), V4],
]

const BROKEN: [what: string, bytes: Buffer][] = [
  ['no header', Buffer.from('GET / HTTP/1.1\r\n')],
  ['another word', Buffer.from('PROXZ')],
  ['in small letters', Buffer.from('proxy ')],
  ['an unknown family', Buffer.from('PROXY UDP4 1.2.3.4 1.2.3.4 1 1\r\n')],
  ['no addresses', Buffer.from('PROXY TCP4\r\n')],
  ['IPv6 as IPv4', Buffer.from('PROXY TCP4 ::1 ::1 1 1\r\n')],
  ['IPv4 as IPv6', Buffer.from('PROXY TCP6 1.2.3.4 1.2.3.4 1 1\r\n')],
  ['an octet over 255', Buffer.from('PROXY TCP4 1.2.3.256 1.2.3.4 1 1\r\n')],
  ['a zone', Buffer.from('PROXY TCP6 fe80::1%eth0 ::1 1 1\r\n')],
  ['a port over 65535', Buffer.from('PROXY TCP4 1.2.3.4 1.2.3.4 65536 1\r\n')],
  ['a leading zero', Buffer.from('PROXY TCP4 1.2.3.4 1.2.3.4 01 1\r\n')],
  ['a sign', Buffer.from('PROXY TCP4 1.2.3.4 1.2.3.4 +1 1\r\n')],
  ['two blanks', Buffer.from('PROXY TCP4  1.2.3.4 1.2.3.4 1 1\r\n')],
  ['a blank at the end', Buffer.from('PROXY TCP4 1.2.3.4 1.2.3.4 1 1 \r\n')],
  ['bare LF', Buffer.from('PROXY TCP4 1.2.3.4 1.2.3.4 1 1\n')],
  ['bare CR', Buffer.from('PROXY UNKNOWN\rx')],
  ['NUL', Buffer.from('PROXY UNKNOWN \0')],
  ['no end within 107 octets', Buffer.from(`PROXY UNKNOWN ${'x'.repeat(93)}`)],
  ['an end only after 107 octets', Buffer.from(`PROXY UNKNOWN ${'x'.repeat(92)}\r\n`)],
  ['a broken signature', Buffer.from('\r\n\r\n\0\r\nQUIX', 'latin1')],
  ['version 1 in binary', v2(0x11, 0x11, IPV4)],
  ['version 3', v2(0x31, 0x11, IPV4)],
  ['an unknown command', v2(0x22, 0x11, IPV4)],
  ['datagrams', v2(0x21, 0x12, IPV4)],
  ['an unknown family', v2(0x21, 0x41, IPV4)],
  ['too short for IPv4', v2(0x21, 0x11, IPV4.subarray(1))],
  ['too short for IPv6', v2(0x21, 0x21, IPV6.subarray(1))],
  ['too short for a Unix socket', v2(0x21, 0x31, Buffer.alloc(215))],
  ['longer than is taken', v2(0x20, 0, Buffer.alloc(2049)).subarray(0, 16)],
]

void t.test('whole headers are read, and nothing behind them', t => {
  for (const [what, header, addresses] of WHOLE) {
    const whole = { state: 'whole', length: header.length, addresses }
    t.same(parseProxyHeader(header), whole, what)
    t.same(parseProxyHeader(Buffer.concat([header, Buffer.from('GET / \r\n\r\n')])), whole, `${what}, with more`)
  }
  t.end()
})

void t.test('every beginning of a header asks for more, but not for more than there is', t => {
  for (const [what, header] of WHOLE) {
    for (let size = 0; size < header.length; size++) {
      const read = parseProxyHeader(header.subarray(0, size))
      t.equal(read.state, 'more', `${what}, ${size} octets`)
      if (read.state === 'more') t.ok(read.needed > size && read.needed <= header.length)
    }
  }
  t.end()
})

void t.test('what is no header is refused', t => {
  for (const [what, bytes] of BROKEN) t.equal(parseProxyHeader(bytes).state, 'broken', what)
  t.end()
})
