import { constants, performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import type { Peer } from '../connections/peer.ts'
import type { Plane } from '../front/plane.ts'
import type { ConnectionOwner } from '../intake/doors.ts'
import { FloodGuard } from './flood-guard.ts'
import { Http2Caller, type CallerOwner } from './http2-caller.ts'
import { TlsBridge } from './tls-bridge.ts'

const { NGHTTP2_ENHANCE_YOUR_CALM } = constants

/** Requests at once on one connection; RFC 9113 section 6.5.2 advises against less than 100. */
const MAX_STREAMS = 128
/** Octets of request bodies on their way on one connection; per stream it is the protocol's 64 KiB. */
const SESSION_WINDOW = 1024 * 1024
const SESSION_MEMORY_MIB = 10
/** Heads up to this many times the limit are read, so that they can be answered 431 instead of cut. */
const ROOM_TO_REFUSE = 2
/**
 * GOAWAY with the highest stream possible. nghttp2 ignores new streams once it has sent any GOAWAY, and Node does not
 * offer its shutdown notice, so this frame is written past it, which it always leaves between two frames of its own.
 */
const NOTICE = Buffer.from([0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0])
/** How long the client may take to acknowledge the first GOAWAY. */
const NOTICE_MS = 1000
/** How long the client's own end is waited for after ours. */
const LINGER_MS = 2000

export interface Http2Owner extends ConnectionOwner {
  /** `by`: 1 more or 1 fewer request is being served. */
  onStreams(by: 1 | -1): void
}

/**
 * A client's connection speaking HTTP/2; each of its streams is a Caller. It ends in two steps, so that no request is
 * lost: GOAWAY with the highest stream possible, then, once the client has seen that, GOAWAY with the last one taken.
 */
export class Http2Connection implements CallerOwner {
  readonly plane: Plane
  readonly peer: Peer
  readonly address: string
  readonly #owner: Http2Owner
  readonly #socket: Socket
  readonly #session: ServerHttp2Session
  /** What the session reads and writes. */
  readonly #transport: Duplex
  readonly #callers = new Set<Http2Caller>()
  readonly #guard: FloodGuard
  #state: 'open' | 'notice' | 'closing' | 'closed' = 'open'
  /** When the present state, or in `open` the time without requests, began. */
  #since = performance.now()

  /** `socket`: connected, past any handshake, perhaps with bytes put back into it. */
  constructor(plane: Plane, owner: Http2Owner, address: string, socket: Socket, peer: Peer) {
    this.plane = plane
    this.#owner = owner
    this.address = address
    this.#socket = socket
    this.peer = peer
    this.#guard = new FloodGuard(this.#since)
    const { maxHeadBytes, maxHeaders } = plane.snapshot.limits
    this.#transport = socket instanceof TLSSocket ? new TlsBridge(socket) : socket
    const session = performServerHandshake(this.#transport, {
      maxSessionMemory: SESSION_MEMORY_MIB,
      // The four pseudo-header fields are pairs too.
      maxHeaderListPairs: (maxHeaders + 4) * ROOM_TO_REFUSE,
      settings: {
        maxConcurrentStreams: MAX_STREAMS,
        maxHeaderListSize: maxHeadBytes * ROOM_TO_REFUSE,
        enableConnectProtocol: false,
      },
    })
    this.#session = session
    session.setLocalWindowSize(SESSION_WINDOW)
    // Bytes that were read to find out what is spoken are taken up by then; accepted sockets come paused.
    process.nextTick(() => this.#transport.resume())
    session.on('stream', (stream: ServerHttp2Stream, _fields: unknown, flags: number, raw: string[]) =>
      this.#onStream(stream, flags, raw),
    )
    session.on('error', ignore)
    socket.on('error', ignore)
    // A GOAWAY of the client's: Node lets open streams end and closes.
    session.on('goaway', () => this.#setState('closing'))
    session.on('close', () => this.#onClosed())
    socket.on('close', () => this.#onClosed())
  }

  /** The process is about to end. */
  destroy(): void {
    this.#session.destroy()
    this.#socket.destroy()
  }

  /** Idle or not: takes no new requests after those the client may have sent already; closes after the last answer. */
  closeIfIdle(): void {
    // Destroyed, but not told to be closed yet: a ping would throw.
    if (this.#state !== 'open' || this.#session.destroyed) return
    this.#setState('notice')
    this.#transport.write(NOTICE)
    this.#session.ping(() => this.#lastWord())
  }

  leave(): void {
    this.closeIfIdle()
  }

  watch(now: number): void {
    let unused = 0
    for (const caller of this.#callers) {
      caller.watch(now)
      unused += caller.unused
    }
    if (this.#state === 'closed') return
    if (!this.#guard.allowRead(this.#socket.bytesRead, unused, now)) {
      this.#calm()
      return
    }
    const waited = now - this.#since
    if (this.#state === 'open') {
      const idle = this.#callers.size === 0 && waited > this.plane.snapshot.limits.keepAliveTimeoutMs
      if (idle || this.plane.isClosing(this.address)) this.closeIfIdle()
    } else if (this.#state === 'notice') {
      if (waited > NOTICE_MS) this.#lastWord()
    } else if (this.#callers.size === 0 && waited > LINGER_MS) {
      this.#socket.destroy()
    }
  }

  // CallerOwner

  earn(octets: number): void {
    this.#guard.earn(octets)
  }

  onCallerClosed(caller: Http2Caller, abandoned: boolean): void {
    this.#callers.delete(caller)
    this.#owner.onStreams(-1)
    const now = performance.now()
    if (this.#callers.size === 0) this.#since = now
    if (abandoned && this.#state !== 'closed' && !this.#guard.allowReset(now)) this.#calm()
  }

  // Private

  #onStream(stream: ServerHttp2Stream, flags: number, raw: readonly string[]): void {
    if (stream.destroyed || stream.closed) {
      // Given up in the same breath.
      stream.on('error', ignore)
      if (!this.#guard.allowReset(performance.now())) this.#calm()
      return
    }
    const caller = new Http2Caller(this, stream, flags)
    this.#callers.add(caller)
    this.#owner.onStreams(1)
    caller.serve(raw)
  }

  /** The second GOAWAY: what the client opens from here on is not served. Node closes after the last stream. */
  #lastWord(): void {
    if (this.#state !== 'notice') return
    this.#setState('closing')
    this.#session.close()
  }

  /** Too much work for nothing. */
  #calm(): void {
    if (this.#session.destroyed) return
    this.#setState('closing')
    this.#session.destroy(new Error('too much work for nothing'), NGHTTP2_ENHANCE_YOUR_CALM)
  }

  #setState(state: 'notice' | 'closing'): void {
    if (this.#state === 'closed') return
    this.#state = state
    this.#since = performance.now()
  }

  #onClosed(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#owner.remove(this)
  }
}

function ignore(): void {
  // 'close' follows every error and is what counts.
}
