import { createHash } from 'node:crypto'
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls'
import type { Listener, ListenerTls, RoutingTable, TlsCertificate } from '../../../src/contracts/routing.ts'
import { makeCertificate, type MadeCertificate, type Wanted } from '../../support/certificates.ts'
import { clientOn, listener, type RawClient } from './support.ts'

interface Test {
  teardown(fn: () => unknown): void
}

export interface ServerCertificate {
  readonly made: MadeCertificate
  readonly inTable: TlsCertificate
}

/** A certificate as a table carries it, and what a client needs to trust it. */
export async function serverCertificate(
  names: readonly string[],
  more: Partial<Wanted> = {},
): Promise<ServerCertificate> {
  const made = await makeCertificate({ names, ...more })
  const id = createHash('sha256').update(made.chain).update(made.key).digest('hex')
  return { made, inTable: { id, chain: made.chain, key: made.key, names } }
}

export function httpsListener(
  certificates: readonly ServerCertificate[],
  change: Partial<Listener> & { clientAuth?: ListenerTls['clientAuth'] } = {},
): Listener {
  const { clientAuth = null, ...rest } = change
  return listener({
    key: 'app/production/web/https',
    endpoint: 'https',
    protocol: 'https',
    tls: { certificates: certificates.map(one => one.inTable.id), clientAuth },
    ...rest,
  })
}

export function withCertificates(table: RoutingTable, certificates: readonly ServerCertificate[]): RoutingTable {
  return { ...table, certificates: Object.fromEntries(certificates.map(one => [one.inTable.id, one.inTable])) }
}

/** A client over TLS that writes and reads plain bytes, as latin1. */
export type TlsClient = RawClient<TLSSocket>

/** Shakes hands; fails if that fails. Trusts whatever it is shown unless `ca` is given. */
export async function tlsClient(t: Test, port: number, options: ConnectionOptions = {}): Promise<TlsClient> {
  const wanted = {
    port,
    host: '127.0.0.1',
    servername: 'app.localhost',
    rejectUnauthorized: options.ca !== undefined,
    ALPNProtocols: ['http/1.1'],
    allowHalfOpen: true,
    ...options,
  }
  const client = clientOn(t, connect(wanted))
  await new Promise<void>((resolve, reject) => {
    client.socket.once('secureConnect', resolve)
    client.socket.once('close', () => reject(new Error(client.failed ?? 'closed within the handshake')))
  })
  return client
}

/** One request on a connection of its own. */
export async function tlsAsk(t: Test, port: number, text: string, options: ConnectionOptions = {}): Promise<string> {
  const client = await tlsClient(t, port, options)
  client.send(text)
  const answer = await client.answer()
  client.socket.destroy()
  return answer
}

/** Names of the certificate that a handshake for `servername` shows. */
export async function shownFor(t: Test, port: number, servername: string): Promise<string> {
  const client = await tlsClient(t, port, { servername })
  const { subject } = client.socket.getPeerCertificate()
  client.socket.destroy()
  return String(subject.CN)
}

export function get(host: string, fields = ''): string {
  return `GET / HTTP/1.1\r\nHost: ${host}\r\n${fields}\r\n`
}
