import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { ByteHandler } from '../connections/byte-stream.ts'
import { Peer, type Ends, type TlsIdentity } from '../connections/peer.ts'
import { parseProxyHeader } from '../connections/proxy-protocol.ts'
import type { SocketStream } from '../connections/socket-stream.ts'
import { TlsStream } from '../connections/tls-stream.ts'
import { ownAnswerText } from '../http1/own-answer.ts'
import { forwardedClientCertificate } from '../tls/client-certificate.ts'
import { parseClientHello } from '../tls/client-hello.ts'
import type { Handshake, Terminators } from '../tls/terminators.ts'
import type { TlsChoice } from '../tls/tls-site.ts'
import { FIRST_REQUEST_MS, type Doors, type OpenConnection } from './doors.ts'
import type { IntakeCause, IntakeFailures } from './intake-failures.ts'

/** After an answer of the intake: how long what still comes is read and dropped, so that no RST overtakes it. */
const LINGER_MS = 2000
/** A fatal alert (RFC 8446 section 6): 80 is `internal_error`. */
const INTERNAL_ERROR = Buffer.from([21, 3, 3, 0, 2, 2, 80])
/** What every HTTP/2 connection begins with (RFC 9113 section 3.4), and no HTTP/1.1 request may. */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1')
/** How the first eight octets of a request begin. */
const METHOD = /^[A-Z]{3,8}(?: |$)/

interface Owner {
  readonly failures: IntakeFailures
  readonly terminators: Terminators
  /** It costs memory from here on. False: too many do. */
  enter(address: string): boolean
  leave(): void
  over(opening: Opening): void
}

/** A connection of which it is not known yet what it is: before its PROXY protocol header, in its TLS handshake, before it says whether it speaks HTTP/2. */
export class Opening implements ByteHandler, OpenConnection, Handshake {
  readonly #doors: Doors
  readonly #owner: Owner
  readonly #address: string
  readonly #stream: SocketStream
  #ends: Ends
  #state: 'proxy-header' | 'client-hello' | 'preface' | 'handshake' | 'refused' | 'over'
  #since = performance.now()
  #held: Buffer[] = []
  #size = 0
  #needed = 1
  /** Counted among those that are bounded: not while it is silent where plain HTTP may be. */
  #entered: boolean
  /** From the handshake on. */
  #under: Socket | null = null
  #choice: TlsChoice | null = null
  #serverName: string | null = null

  constructor(
    doors: Doors,
    owner: Owner,
    address: string,
    ends: Ends,
    stream: SocketStream,
    first: 'proxy-header' | 'client-hello' | 'preface',
  ) {
    this.#doors = doors
    this.#owner = owner
    this.#address = address
    this.#ends = ends
    this.#stream = stream
    this.#state = first
    this.#entered = first !== 'preface'
    stream.handler = this
  }

  watch(now: number): void {
    if (this.#state === 'refused') {
      if (now - this.#since > LINGER_MS) this.destroy()
      return
    }
    const { limits } = this.#doors.snapshot
    // Before its first request a connection of plain HTTP may be idle as after any other.
    const idle = this.#state === 'preface' && this.#size === 0
    if (now - this.#since > (idle ? limits.keepAliveTimeoutMs : limits.headTimeoutMs)) {
      this.#fail('timeout', `nothing whole came in time (${this.#state})`)
    }
  }

  /** Its first request says what becomes of it. */
  leave(): void {}

  /** It has its first request on the way, which is answered. */
  closeIfIdle(): void {
    if (performance.now() - this.#since > FIRST_REQUEST_MS) this.destroy()
  }

  destroy(): void {
    if (this.#under === null) this.#stream.destroy()
    else this.#under.destroy()
    this.#over()
  }

  // ByteHandler

  onBytes(bytes: Buffer, start: number, end: number): void {
    if (this.#state === 'handshake' || this.#state === 'refused' || this.#state === 'over') return
    if (this.#size === 0) this.#since = performance.now()
    this.#held.push(Buffer.from(bytes.subarray(start, end)))
    this.#size += end - start
    this.#look()
  }

  onEnd(): void {
    if (this.#state === 'refused' || this.#size === 0) this.destroy()
    else if (this.#state === 'proxy-header') this.#fail('proxy-header', 'it ended within its PROXY protocol header')
    else if (this.#state === 'client-hello') this.#fail('client-hello', 'it ended within its ClientHello')
    else if (this.#state === 'preface') this.destroy()
  }

  onDrain(): void {}

  onClose(): void {
    if (this.#state === 'handshake') this.#fail('handshake', 'the client left in the middle of it')
    this.#over()
  }

  // Handshake

  secured(socket: TLSSocket): void {
    const choice = this.#choice
    const under = this.#under
    if (this.#state !== 'handshake' || choice === null || under === null) {
      socket.destroy()
      return
    }
    const clientAuth = choice.listener.tls?.clientAuth ?? null
    const certificate = clientAuth === null ? undefined : socket.getPeerX509Certificate()
    // Node calls a resumed session without one authorized, too.
    if (clientAuth !== null && (certificate === undefined ? clientAuth.required : !socket.authorized)) {
      this.#fail('client-certificate', String(socket.authorizationError ?? 'none was shown'))
      return
    }
    const identity: TlsIdentity = {
      serverName: this.#serverName,
      authScope: choice.authScope,
      clientCertificate: certificate === undefined ? null : forwardedClientCertificate(certificate),
    }
    if (socket.alpnProtocol === 'h2') {
      this.#doors.serveHttp2(this.#address, new Peer(this.#ends, identity, '2.0'), socket)
    } else {
      socket.allowHalfOpen = true
      this.#doors.serveHttp1(this.#address, new Peer(this.#ends, identity), new TlsStream(socket, under, this))
    }
    this.#over()
  }

  failed(reason: string): void {
    if (this.#state === 'handshake') this.#fail('handshake', reason)
  }

  // Private

  #look(): void {
    if (this.#size < this.#needed) return
    const [only] = this.#held
    const bytes = this.#held.length === 1 && only !== undefined ? only : Buffer.concat(this.#held)
    this.#held = [bytes]
    if (this.#state === 'proxy-header') this.#readProxyHeader(bytes)
    else if (this.#state === 'preface') this.#readPreface(bytes)
    else this.#readClientHello(bytes)
  }

  #readProxyHeader(bytes: Buffer): void {
    const header = parseProxyHeader(bytes)
    if (header.state === 'broken') this.#fail('proxy-header', 'no PROXY protocol header')
    else if (header.state === 'more') this.#needed = header.needed
    else {
      this.#ends = header.addresses ?? this.#ends
      this.#passHeader(bytes.subarray(header.length))
    }
  }

  #passHeader(rest: Buffer): void {
    const site = this.#doors.snapshot.sites.get(this.#address)
    if (site?.protocol === 'https') {
      this.#state = 'client-hello'
      this.#since = performance.now()
      this.#held = [rest]
      this.#size = rest.length
      this.#needed = 1
      this.#look()
      return
    }
    if (site?.protocol === 'http' && site.http2) {
      this.#state = 'preface'
      this.#since = performance.now()
      this.#held = rest.length === 0 ? [] : [rest]
      this.#size = rest.length
      this.#needed = 1
      this.#leave()
      if (rest.length > 0) this.#look()
      return
    }
    const peer = new Peer(this.#ends, null)
    if (site?.protocol === 'tcp') this.#doors.serveTcp(this.#address, peer, this.#stream)
    else this.#doors.serveHttp1(this.#address, peer, this.#stream)
    this.#over()
    if (rest.length > 0) this.#stream.handler.onBytes(rest, 0, rest.length)
  }

  #readPreface(bytes: Buffer): void {
    const length = Math.min(bytes.length, PREFACE.length)
    if (bytes.compare(PREFACE, 0, length, 0, length) !== 0) {
      this.#doors.serveHttp1(this.#address, new Peer(this.#ends, null), this.#stream)
      this.#over()
      this.#stream.handler.onBytes(bytes, 0, bytes.length)
    } else if (length < PREFACE.length) {
      this.#needed = PREFACE.length
      this.#entered ||= this.#owner.enter(this.#address)
      if (!this.#entered) this.destroy()
    } else {
      const socket = this.#stream.surrender(bytes)
      // A session ends when its client does; requests of HTTP/1.1 are answered even then.
      socket.allowHalfOpen = false
      this.#doors.serveHttp2(this.#address, new Peer(this.#ends, null, '2.0'), socket)
      this.#over()
    }
  }

  #readClientHello(bytes: Buffer): void {
    const hello = parseClientHello(bytes)
    if (hello.state === 'more') {
      this.#needed = hello.needed
      return
    }
    if (hello.state === 'broken') {
      if (METHOD.test(bytes.toString('latin1', 0, 8))) this.#answerPlainHttp()
      else this.#fail('client-hello', 'no ClientHello')
      return
    }
    const choice = this.#doors.snapshot.sites.get(this.#address)?.tls?.choose(hello.serverName) ?? null
    if (choice === null) {
      this.#refuse('certificate', 'there is no certificate', INTERNAL_ERROR)
      return
    }
    const terminator = this.#owner.terminators.for(choice, choice.listener.options.http2)
    if (terminator instanceof Error) {
      this.#refuse('certificate', terminator.message, INTERNAL_ERROR)
      return
    }
    this.#state = 'handshake'
    this.#since = performance.now()
    this.#held = []
    this.#choice = choice
    this.#serverName = hello.serverName
    this.#under = this.#stream.surrender(bytes)
    // Who ends its side within the handshake has left. TLS takes this over from the socket below.
    this.#under.allowHalfOpen = false
    terminator.begin(this.#under, this)
  }

  #answerPlainHttp(): void {
    const answer = { status: 400, error: 'http_request_error', detail: 'this port speaks TLS: ask by https' } as const
    this.#refuse('plain-http', 'HTTP without TLS', ownAnswerText(answer, { close: true, noBody: false }))
  }

  #refuse(cause: IntakeCause, detail: string, answer: string | Uint8Array): void {
    this.#owner.failures.add(cause, this.#address, detail)
    this.#state = 'refused'
    this.#since = performance.now()
    this.#held = []
    this.#stream.write(answer)
    this.#stream.end()
  }

  #fail(cause: IntakeCause, detail: string): void {
    this.#owner.failures.add(cause, this.#address, detail)
    this.destroy()
  }

  #leave(): void {
    if (this.#entered) this.#owner.leave()
    this.#entered = false
  }

  #over(): void {
    if (this.#state === 'over') return
    this.#state = 'over'
    this.#held = []
    this.#leave()
    this.#owner.over(this)
  }
}
