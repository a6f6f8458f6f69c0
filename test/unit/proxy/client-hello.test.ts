import { randomBytes } from 'node:crypto'
import t from 'tap'
import { parseClientHello } from '../../../proxy/tls/client-hello.ts'
import { clientHello } from '../../support/client-hello.ts'

/** The same message in records of at most `size` octets. */
function inRecords(hello: Buffer, size: number): Buffer {
  const message = hello.subarray(5)
  const parts: Buffer[] = []
  for (let at = 0; at < message.length; at += size) {
    const part = message.subarray(at, at + size)
    parts.push(Buffer.from([22, 3, 1, part.length >> 8, part.length & 255]), part)
  }
  return Buffer.concat(parts)
}

void t.test('the name a real client asks for is found, in one record or many', async t => {
  for (const [asked, found] of [
    ['app.localhost', 'app.localhost'],
    ['App.LOCALHOST', 'app.localhost'],
    ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
    ['', null],
  ] as const) {
    const hello = await clientHello(asked)
    for (const size of [16_384, 100, 7, 1]) {
      t.same(parseClientHello(inRecords(hello, size)), { state: 'whole', serverName: found }, `${asked} by ${size}`)
    }
  }
})

void t.test('every beginning asks for more, but not for more than there is', async t => {
  const hello = await clientHello('app.localhost')
  for (const bytes of [hello, inRecords(hello, 50)]) {
    for (let size = 0; size < bytes.length; size++) {
      const read = parseClientHello(bytes.subarray(0, size))
      if (read.state !== 'more' || read.needed <= size || read.needed > bytes.length) {
        t.fail(`${size} octets: ${JSON.stringify(read)}`)
      }
    }
  }
  t.equal(parseClientHello(hello).state, 'whole')
})

void t.test('what is no ClientHello is refused, whatever its lengths say', async t => {
  const hello = await clientHello('app.localhost')
  const changed = (at: number, ...octets: number[]): Buffer => {
    const copy = Buffer.from(hello)
    copy.set(octets, at)
    return copy
  }
  const name = hello.indexOf('app.localhost')
  const cases: [what: string, bytes: Buffer][] = [
    ['an alert', changed(0, 21)],
    ['SSL 2', Buffer.from([0x80, 0x2e, 1, 3, 1])],
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\n')],
    ['an empty record', Buffer.from([22, 3, 1, 0, 0])],
    ['a record that is too long', Buffer.from([22, 3, 1, 0x40, 1])],
    ['another version of records', changed(1, 2)],
    ['a ServerHello', changed(5, 2)],
    ['a message that is too long', changed(6, 0, 0x41, 0)],
    ['a message longer than its octets', Buffer.concat([changed(6, 0, 0, 40), Buffer.alloc(0)])],
    ['a session id beyond the end', changed(5 + 4 + 34, 255)],
    ['a name longer than its list', changed(name - 2, 0, 200)],
    ['a list longer than its extension', changed(name - 5, 0, 200)],
    ['another kind of name', changed(name - 3, 1)],
  ]
  for (const [what, bytes] of cases) t.equal(parseClientHello(bytes).state, 'broken', what)
  t.same(parseClientHello(changed(name, 0x2f)), { state: 'whole', serverName: null }, 'no host has such a name')
})

void t.test('no octets make it throw', async t => {
  const hello = await clientHello('app.localhost')
  for (let round = 0; round < 5000; round++) {
    const copy = Buffer.from(hello)
    for (const octet of randomBytes(1 + (round % 4))) copy[(octet * 7 + round * 13) % copy.length] = octet
    parseClientHello(copy.subarray(0, round % 3 === 0 ? round % copy.length : copy.length))
    parseClientHello(randomBytes(round % 300))
  }
  t.pass('5000 rounds')
})
