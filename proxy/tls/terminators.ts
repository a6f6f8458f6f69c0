import { constants, randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { createServer, type Server, type TLSSocket } from 'node:tls'
import { errorMessage } from '../../src/core/errors.ts'
import type { TlsChoice, TlsSite } from './tls-site.ts'

/** Mozilla's intermediate list without finite-field Diffie-Hellman: forward secrecy and authenticated encryption only. */
const CIPHERS = [
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'TLS_AES_128_GCM_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':')
const HTTP1 = ['http/1.1', 'http/1.0']
const HTTP2 = ['h2', ...HTTP1]
/** Octets OpenSSL wants: name, MAC key and cipher key of session tickets. */
const TICKET_KEYS = 48

/** Who is told how a handshake went. */
export interface Handshake {
  secured(socket: TLSSocket): void
  /** The socket closes; `reason` in OpenSSL's or the system's words. */
  failed(reason: string): void
}

/** One certificate under one listener, ready for handshakes: making it takes milliseconds, so it is made once. */
export class Terminator {
  readonly #server: Server
  /** Handshakes under way by their connection's two ends: a TLS socket does not tell which socket it was made of. */
  readonly #under = new Map<string, Handshake>()

  /** Throws if certificate, key or authorities cannot be used. */
  constructor(choice: TlsChoice, http2: boolean, ticketKeys: Buffer) {
    const { certificate, listener, sessionScope } = choice
    const clientAuth = listener.tls?.clientAuth ?? null
    this.#server = createServer({
      cert: certificate.chain,
      key: certificate.key,
      ...(clientAuth === null ? {} : { ca: clientAuth.ca }),
      requestCert: clientAuth !== null,
      rejectUnauthorized: clientAuth?.required ?? false,
      ALPNProtocols: http2 ? HTTP2 : HTTP1,
      minVersion: 'TLSv1.2',
      ciphers: CIPHERS,
      // All of them are good: a client knows best which is cheap for it.
      honorCipherOrder: false,
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
      sessionIdContext: sessionScope,
      ticketKeys,
    })
    this.#server.on('secureConnection', socket => this.#take(socket)?.secured(socket))
    this.#server.on('tlsClientError', (error, socket) => this.#take(socket)?.failed(reasonOf(error)))
  }

  /** Begins a handshake on `socket`, whose unread bytes begin with the ClientHello. */
  begin(socket: Socket, handshake: Handshake): void {
    const key = endsOf(socket)
    this.#under.set(key, handshake)
    socket.once('close', () => {
      if (this.#under.get(key) === handshake) this.#under.delete(key)
    })
    this.#server.emit('connection', socket)
  }

  #take(socket: Socket): Handshake | null {
    const key = endsOf(socket)
    const handshake = this.#under.get(key)
    this.#under.delete(key)
    // The connection has just gone, or it would have two ends.
    if (handshake === undefined) socket.destroy()
    return handshake ?? null
  }
}

/** OpenSSL's own words if they are its errors: the message has addresses and files of its sources. */
function reasonOf(error: Error & { reason?: unknown }): string {
  return typeof error.reason === 'string' ? error.reason : error.message
}

function endsOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort} ${socket.localAddress} ${socket.localPort}`
}

/** All that is ready for handshakes, made when first asked for and kept over tables that still have it. */
export class Terminators {
  readonly #ready = new Map<string, Terminator | Error>()
  #ticketKeys: Buffer = randomBytes(TICKET_KEYS)

  /** The error says what is wrong with the certificate. */
  for(choice: TlsChoice, http2: boolean): Terminator | Error {
    const key = keyOf(choice, http2)
    let terminator = this.#ready.get(key)
    if (terminator === undefined) {
      try {
        terminator = new Terminator(choice, http2, this.#ticketKeys)
      } catch (error) {
        terminator = new Error(`certificate ${choice.certificate.id}: ${errorMessage(error)}`)
      }
      this.#ready.set(key, terminator)
    }
    return terminator
  }

  /** Forgets what no site can choose any more. Connections made by it go on. */
  keepOnly(sites: Iterable<TlsSite>): void {
    if (this.#ready.size === 0) return
    const wanted = new Set<string>()
    for (const site of sites) {
      for (const choice of site.choices()) for (const http2 of [false, true]) wanted.add(keyOf(choice, http2))
    }
    for (const key of this.#ready.keys()) if (!wanted.has(key)) this.#ready.delete(key)
  }

  /** From now on tickets are made with these 48 octets and no others are known: their holders shake hands in full. */
  useTicketKeys(keys: Buffer): void {
    this.#ticketKeys = keys
    this.#ready.clear()
  }
}

function keyOf(choice: TlsChoice, http2: boolean): string {
  return `${choice.certificate.id} ${choice.sessionScope} ${http2 ? 'h2' : 'h1'}`
}
