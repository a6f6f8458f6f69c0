import { BlockList } from 'node:net'
import t from 'tap'
import { Peer } from '../../../proxy/connections/peer.ts'
import { clientAddress, clientIsSecure } from '../../../proxy/front/client-origin.ts'
import { parseRequestHead, type RequestHead } from '../../../proxy/http1/request-head.ts'

const SECURE = { serverName: null, authScope: '', clientCertificate: null }

void t.test('who the client is, as far as the peer may be believed', t => {
  const peer = new Peer({ address: '::ffff:10.1.2.3', port: 1, localAddress: '127.0.0.1', localPort: 80 }, null)
  t.notOk(peer.isTrustedBy(null))
  const list = new BlockList()
  list.addSubnet('10.0.0.0', 8, 'ipv4')
  t.ok(peer.isTrustedBy(list))
  t.notOk(peer.isTrustedBy(new BlockList()), 'another list is another answer')

  const head = (fields: string): RequestHead => {
    const parsed = parseRequestHead(`GET / HTTP/1.1\r\nHost: a\r\n${fields}X: y`, 10)
    if ('status' in parsed) throw new Error(parsed.detail)
    return parsed
  }
  const forwarded = head('X-Forwarded-For: 6.6.6.6, 192.0.2.9, 10.9.9.9\r\nX-Forwarded-Proto: HTTPS\r\n')
  t.equal(clientAddress(forwarded, peer, null), '10.1.2.3')
  t.equal(clientAddress(forwarded, peer, list), '192.0.2.9', 'the nearest that is no proxy of ours')
  t.equal(clientAddress(head('X-Forwarded-For: 10.9.9.9\r\n'), peer, list), '10.9.9.9')
  t.equal(clientAddress(head(''), peer, list), '10.1.2.3')
  t.equal(clientIsSecure(forwarded, peer, list), true)
  t.equal(clientIsSecure(forwarded, peer, null), false)
  t.equal(
    clientIsSecure(
      forwarded,
      new Peer({ address: '192.0.2.1', port: 1, localAddress: '', localPort: 0 }, SECURE),
      null,
    ),
    true,
  )
  t.end()
})
