import t from 'tap'
import { Peer, type TlsIdentity } from '../../../proxy/connections/peer.ts'
import { requestHeadText, requestIdOf } from '../../../proxy/http1/forwarded-request.ts'
import { parseRequestHead } from '../../../proxy/http1/request-head.ts'

const IDENTITY: TlsIdentity = { serverName: 'app.test', authScope: '', clientCertificate: null }

interface From {
  readonly address?: string
  readonly tls?: TlsIdentity
  readonly trusted?: boolean
  readonly forwarded?: boolean
}

/** Field lines an instance gets, by lower-case name, for a request with `fields`; equal names joined by ` | `. */
function sent(fields: readonly string[], from: From = {}, host = 'app.test'): Record<string, string> {
  const head = parseRequestHead(['GET / HTTP/1.1', `Host: ${host}`, ...fields].join('\r\n'), 100)
  if ('status' in head) throw new Error(head.detail)
  const { address = '192.0.2.1', tls = null, trusted = false, forwarded = false } = from
  const peer = new Peer({ address, port: 1234, localAddress: '::ffff:198.51.100.9', localPort: 8443 }, tls)
  const text = requestHeadText(head, peer, trusted, forwarded, requestIdOf(head, trusted))
  const lines = text.split('\r\n').slice(1, -2)
  const found: Record<string, string> = {}
  for (const line of lines) {
    const name = line.slice(0, line.indexOf(':')).toLowerCase()
    const value = line.slice(line.indexOf(':') + 2)
    found[name] = found[name] === undefined ? value : `${found[name]} | ${value}`
  }
  return found
}

const LIES = [
  'X-Forwarded-For: 10.0.0.1',
  'x-forwarded-for: 10.0.0.2',
  'X-Forwarded-Proto: https',
  'X-Forwarded-Host: evil.test',
  'X-Forwarded-Port: 1',
  'X-Forwarded-Server: evil',
  'X-Forwarded-By: evil',
  'X-Forwarded-Client-Cert: Hash=evil',
  'Forwarded: for=evil',
  'X-Real-IP: 10.0.0.1',
  'X-Request-ID: evil',
  'traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  'tracestate: evil=1',
]

void t.test('from anybody: what came before is removed, what is known is told', t => {
  const fields = sent(LIES)
  t.match(fields, {
    'x-forwarded-for': '192.0.2.1',
    'x-forwarded-proto': 'http',
    'x-forwarded-host': 'app.test',
    'x-forwarded-port': '8443',
    'x-request-id': /^[0-9a-f]{32}$/,
    traceparent: /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/,
  })
  for (const name of ['forwarded', 'x-real-ip', 'x-forwarded-server', 'x-forwarded-by', 'x-forwarded-client-cert']) {
    t.equal(fields[name], undefined, `no ${name}`)
  }
  t.equal(fields['tracestate'], undefined)
  t.notOk(Object.values(fields).some(value => value.includes('evil')))
  t.equal(sent([], { tls: IDENTITY })['x-forwarded-proto'], 'https')
  t.equal(sent([], { address: '::ffff:10.1.2.3' })['x-forwarded-for'], '10.1.2.3')
  t.equal(sent([], { address: 'fe80::1%eth0' })['x-forwarded-for'], 'fe80::1')
  t.end()
})

void t.test('from a trusted proxy: its list is appended to, the rest is kept', t => {
  const trusted = { trusted: true }
  t.match(
    sent(
      LIES.map(line => line.replace('evil', 'good')),
      trusted,
    ),
    {
      'x-forwarded-for': '10.0.0.1, 10.0.0.2, 192.0.2.1',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'good.test',
      'x-forwarded-port': '1',
      'x-forwarded-server': 'good',
      'x-real-ip': '10.0.0.1',
      'x-request-id': 'good',
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      tracestate: 'good=1',
    },
  )
  t.equal(sent(LIES, trusted)['x-forwarded-client-cert'], undefined, 'never taken from outside')
  t.equal(sent(LIES, trusted)['forwarded'], undefined, 'only where it is asked for')
  t.equal(sent([], trusted)['x-forwarded-for'], '192.0.2.1')
  const ports: [string[], string][] = [
    [[], '8443'],
    [['X-Forwarded-Proto: https'], '443'],
    [['X-Forwarded-Proto: http'], '80'],
    [['X-Forwarded-Proto: https', 'X-Forwarded-Host: a.test:8444'], '8444'],
    [['X-Forwarded-Proto: https', 'X-Forwarded-Host: [::1]'], '443'],
    [['X-Forwarded-For: 10.0.0.1'], '8443'],
  ]
  for (const [fields, port] of ports) t.equal(sent(fields, trusted)['x-forwarded-port'], port, fields.join(', '))
  t.end()
})

void t.test('a broken trace starts a new one, an empty request id is given one', t => {
  const good = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  for (const parent of [
    'x',
    `${good}, ${good}`,
    good.toUpperCase(),
    `ff${good.slice(2)}`,
    good.replace('0af7651916cd43dd8448eb211c80319c', '0'.repeat(32)),
    good.replace('b7ad6b7169203331', '0'.repeat(16)),
  ]) {
    const fields = sent([`traceparent: ${parent}`, 'tracestate: a=1'], { trusted: true })
    t.match(fields['traceparent'], /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/)
    t.not(fields['traceparent'], parent)
    t.equal(fields['tracestate'], undefined)
  }
  t.match(sent(['X-Request-ID:'], { trusted: true })['x-request-id'], /^[0-9a-f]{32}$/)
  t.end()
})

void t.test('Forwarded as RFC 7239 writes it', t => {
  const asked = { forwarded: true }
  t.equal(sent([], asked)['forwarded'], 'for=192.0.2.1;host=app.test;proto=http')
  t.equal(sent(LIES, asked)['forwarded'], 'for=192.0.2.1;host=app.test;proto=http')
  t.equal(
    sent([], { ...asked, address: '2001:db8::1', tls: IDENTITY }, 'app.test:8443')['forwarded'],
    'for="[2001:db8::1]";host="app.test:8443";proto=https',
  )
  t.equal(sent([], { ...asked, address: '::ffff:10.1.2.3' })['forwarded'], 'for=10.1.2.3;host=app.test;proto=http')
  t.equal(sent([], { ...asked, address: '' })['forwarded'], 'for=unknown;host=app.test;proto=http')
  const behind = { ...asked, trusted: true }
  const own = 'for=192.0.2.1;host=app.test;proto=http'
  t.equal(sent(['Forwarded: for=10.0.0.1;proto=https'], behind)['forwarded'], `for=10.0.0.1;proto=https, ${own}`)
  t.equal(sent(['Forwarded: for=a', 'Forwarded: for=b'], behind)['forwarded'], `for=a, for=b, ${own}`)
  t.equal(
    sent(['X-Forwarded-For: 10.0.0.1, 2001:db8::2,[2001:db8::3]:80, 10.0.0.4:5, me"'], behind)['forwarded'],
    `for=10.0.0.1, for="[2001:db8::2]", for="[2001:db8::3]", for=10.0.0.4, for=unknown, ${own}`,
  )
  t.equal(sent([], behind)['forwarded'], own)
  t.end()
})

void t.test('a verified client certificate is told, instead of what a client says', t => {
  const tls = { ...IDENTITY, clientCertificate: 'Hash=ab;Subject="CN=me"' }
  for (const trusted of [true, false]) {
    t.equal(sent(LIES, { tls, trusted })['x-forwarded-client-cert'], 'Hash=ab;Subject="CN=me"')
  }
  t.end()
})

void t.test('HTTP/1.0 without a Host is told the address it connected to', t => {
  const head = parseRequestHead('GET / HTTP/1.0', 100)
  if ('status' in head) throw new Error(head.detail)
  const ends = { address: '::1', port: 1, localAddress: '2001:db8::9', localPort: 80 }
  const text = requestHeadText(head, new Peer(ends, null), false, true, requestIdOf(head, false))
  t.match(text, '\r\nHost: [2001:db8::9]:80\r\n')
  t.match(text, '\r\nForwarded: for="[::1]";host="[2001:db8::9]:80";proto=http\r\n')
  t.end()
})

void t.test('sent again, a request keeps its id, and what is no trace id does not become one', t => {
  const head = parseRequestHead('GET / HTTP/1.1\r\nHost: a\r\nX-Request-ID: order 7', 100)
  if ('status' in head) throw new Error(head.detail)
  const ends = { address: '192.0.2.1', port: 1, localAddress: '192.0.2.2', localPort: 80 }
  const peer = new Peer(ends, null)
  const id = requestIdOf(head, true)
  t.equal(id, 'order 7')
  // The second time as if the peer were trusted no more.
  for (const trusted of [true, false]) {
    const text = requestHeadText(head, peer, trusted, false, id)
    t.match(text, '\r\nX-Request-ID: order 7\r\n')
    t.match(text, /\r\ntraceparent: 00-[0-9a-f]{32}-[0-9a-f]{16}-00\r\n/)
  }
  const own = requestIdOf(head, false)
  t.match(own, /^[0-9a-f]{32}$/)
  t.match(requestHeadText(head, peer, false, false, own), `\r\nX-Request-ID: ${own}\r\ntraceparent: 00-${own}-`)
  t.end()
})
