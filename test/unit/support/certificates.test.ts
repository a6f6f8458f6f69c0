import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, createServer, type TLSSocket } from 'node:tls'
import tap from 'tap'
import { makeAuthority, makeCertificate, type MadeCertificate } from '../../support/certificates.ts'

/** The authorization error a client sees, or null; the server says whether the client's certificate was good. */
async function handshake(
  t: { teardown: (fn: () => unknown) => void },
  server: MadeCertificate,
  servername: string,
  client?: MadeCertificate,
): Promise<{ error: string | null; clientAuthorized: boolean }> {
  const listener = createServer({
    cert: server.chain,
    key: server.key,
    requestCert: client !== undefined,
    rejectUnauthorized: false,
    ...(client === undefined ? {} : { ca: client.ca }),
  })
  listener.listen(0, '127.0.0.1')
  t.teardown(() => listener.close())
  await once(listener, 'listening')
  const { port } = listener.address() as AddressInfo
  const accepted = once(listener, 'secureConnection') as Promise<[TLSSocket]>
  const socket = connect({
    port,
    host: '127.0.0.1',
    servername,
    ca: server.ca,
    rejectUnauthorized: false,
    ...(client === undefined ? {} : { cert: client.chain, key: client.key }),
  })
  t.teardown(() => socket.destroy())
  await once(socket, 'secureConnect')
  const [other] = await accepted
  t.teardown(() => other.destroy())
  return {
    error: socket.authorized ? null : String(socket.authorizationError),
    clientAuthorized: other.authorized,
  }
}

tap.test('made certificates work with node:tls', async t => {
  const authority = await makeAuthority()
  const below = await authority.intermediate('below')
  const good = await makeCertificate({ names: ['a.test', '*.b.test'], authority: below })
  t.equal((await handshake(t, good, 'a.test')).error, null)
  t.equal((await handshake(t, good, 'x.b.test')).error, null)
  t.match((await handshake(t, good, 'other.test')).error, 'ERR_TLS_CERT_ALTNAME_INVALID')
  const expired = await makeCertificate({ names: ['a.test'], days: -1, authority })
  t.equal((await handshake(t, expired, 'a.test')).error, 'CERT_HAS_EXPIRED')
  const alone = await makeCertificate({ names: ['a.test'], algorithm: 'rsa' })
  const client = await makeCertificate({ names: ['someone'], usage: 'client', authority })
  t.same(await handshake(t, alone, 'a.test', client), { error: null, clientAuthorized: true })
})
