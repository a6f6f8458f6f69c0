import { createHash } from 'node:crypto'
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls'
import type { Listener, ListenerTls, RoutingTable, TlsCertificate } from '../../../src/contracts/routing.ts'
import { makeCertificate, type MadeCertificate, type Wanted } from '../../support/certificates.ts'
import { isWhole, listener } from './support.ts'

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
export interface TlsClient {
  readonly socket: TLSSocket
  text: string
  ended: boolean
  closed: boolean
  failed: string | null
  send(text: string): void
  /** Resolves when what came in satisfies `test`; fails when it closed or 5 s passed before. */
  until(test: (text: string) => boolean): Promise<string>
  /** All that came in until an answer was whole or the connection was over. */
  answer(): Promise<string>
  /** All that came in until the connection was over. */
  end(): Promise<string>
}

/** Shakes hands; fails if that fails. Trusts whatever it is shown unless `ca` is given. */
export async function tlsClient(t: Test, port: number, options: ConnectionOptions = {}): Promise<TlsClient> {
  const socket = connect({
    port,
    host: '127.0.0.1',
    servername: 'app.localhost',
    rejectUnauthorized: options.ca !== undefined,
    ALPNProtocols: ['http/1.1'],
    allowHalfOpen: true,
    ...options,
  } as ConnectionOptions)
  const waiting = new Set<() => void>()
  const client: TlsClient = {
    socket,
    text: '',
    ended: false,
    closed: false,
    failed: null,
    send: text => socket.write(text, 'latin1'),
    until: async test => wait(() => test(client.text), true),
    answer: async () => wait(() => isWhole(client.text) || client.ended || client.closed, false),
    end: async () => wait(() => client.ended || client.closed, false),
  }
  const tell = (): void => {
    for (const look of waiting) look()
  }
  async function wait(done: () => boolean, mustBeOpen: boolean): Promise<string> {
    return new Promise((resolve, reject) => {
      const came = (): string => JSON.stringify(client.text.slice(-300))
      const timer = setTimeout(() => finish(new Error(`waited 5 s; came in: ${came()}`)), 5000)
      const look = (): void => {
        if (done()) finish()
        else if (mustBeOpen && client.closed) finish(new Error(`closed (${client.failed}) after ${came()}`))
      }
      const finish = (error?: Error): void => {
        clearTimeout(timer)
        waiting.delete(look)
        if (error === undefined) resolve(client.text)
        else reject(error)
      }
      waiting.add(look)
      look()
    })
  }
  socket.on('data', chunk => {
    client.text += chunk.toString('latin1')
    tell()
  })
  socket.on('end', () => {
    client.ended = true
    tell()
  })
  socket.on('error', error => {
    client.failed = error.message
  })
  socket.on('close', () => {
    client.closed = true
    tell()
  })
  t.teardown(() => socket.destroy())
  await new Promise<void>((resolve, reject) => {
    socket.once('secureConnect', resolve)
    socket.once('close', () => reject(new Error(client.failed ?? 'closed within the handshake')))
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
