import type { AddressInfo } from 'node:net'
import { createServer } from 'node:tls'
import { Peer } from '../../../../proxy/connections/peer.ts'
import type { Plane } from '../../../../proxy/front/plane.ts'
import { Http2Connection } from '../../../../proxy/http2/http2-connection.ts'
import type { OpenConnection } from '../../../../proxy/intake/doors.ts'
import { makeCertificate } from '../../../support/certificates.ts'
import type { Test } from '../support.ts'

export interface TlsFront {
  readonly port: number
  readonly ca: string
  readonly connections: ReadonlySet<OpenConnection>
  /** 1 for each request being served. */
  streams(): number
}

/** What a TLS intake does: hands over sockets that agreed on h2. */
export async function tlsFront(t: Test, plane: Plane): Promise<TlsFront> {
  const { chain, key, ca } = await makeCertificate({ names: ['localhost', 'app.localhost', '127.0.0.1'] })
  const connections = new Set<OpenConnection>()
  let streams = 0
  const owner = {
    remove: (connection: OpenConnection) => void connections.delete(connection),
    onStreams: (by: 1 | -1) => {
      streams += by
    },
  }
  const server = createServer({ cert: chain, key, ALPNProtocols: ['h2'] }, socket => {
    const ends = { address: '127.0.0.1', port: socket.remotePort ?? 0, localAddress: '127.0.0.1', localPort: 1 }
    const peer = new Peer(ends, { serverName: null, authScope: '', clientCertificate: null }, '2.0')
    connections.add(new Http2Connection(plane, owner, '127.0.0.1:1', socket, peer))
  })
  server.on('tlsClientError', () => {})
  await new Promise<void>(resolve => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const watch = setInterval(() => {
    for (const connection of connections) connection.watch(performance.now())
  }, 100)
  t.teardown(() => {
    clearInterval(watch)
    for (const connection of connections) connection.destroy()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, ca, connections, streams: () => streams }
}
