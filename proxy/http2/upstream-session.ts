import { connect, constants, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2'
import { createConnection, type Socket } from 'node:net'
import type { Retirable } from '../routing/idle-list.ts'
import type { TargetState } from '../routing/target.ts'
import type { Http2Fields } from './fields.ts'

const { NGHTTP2_REFUSED_STREAM } = constants

/** A session without requests is closed after this, as a connection speaking HTTP/1.1 is. */
const IDLE_MS = 4000
const SESSION_WINDOW = 1024 * 1024
const MAX_FIELDS = 1024
const MAX_FIELDS_BYTES = 128 * 1024
/** After our GOAWAY: how long the instance's own end is waited for. */
const LINGER_MS = 2000

/** A request that waits for the session to be ready. */
export interface SessionWaiter {
  waitFor(session: UpstreamSession): void
  onReady(): void
  onFailed(error: Error): void
}

/**
 * A connection to an instance speaking HTTP/2 by prior knowledge. It is ready once the instance has sent its settings,
 * carries as many requests at once as those allow, and takes none after a GOAWAY.
 */
export class UpstreamSession implements Retirable {
  retireAt = Infinity
  /** The highest request the instance may have worked on, as its GOAWAY says; Infinity before. */
  lastTaken = Infinity
  readonly #target: TargetState
  readonly #socket: Socket
  readonly #session: ClientHttp2Session
  readonly #waiting = new Set<SessionWaiter>()
  readonly #since = performance.now()
  #state: 'dialling' | 'open' | 'closing' = 'dialling'
  #streams = 0
  #max = 0
  #error: Error = new Error('closed before it was ready')

  private constructor(target: TargetState) {
    this.#target = target
    const { host, port } = target
    this.#socket = createConnection({ host, port, noDelay: true })
    const session = connect('http://instance', {
      createConnection: () => this.#socket,
      maxHeaderListPairs: MAX_FIELDS,
      settings: { enablePush: false, maxHeaderListSize: MAX_FIELDS_BYTES },
    })
    this.#session = session
    session.on('connect', () => {
      // Told a tick later: nobody may wait for it any more.
      if (!session.destroyed) session.setLocalWindowSize(SESSION_WINDOW)
    })
    session.on('remoteSettings', ({ maxConcurrentStreams }) => {
      this.#max = maxConcurrentStreams ?? Infinity
      if (this.#state === 'dialling') this.#ready()
    })
    session.on('goaway', (_code: number, last: number) => {
      this.lastTaken = last
      this.#leave()
    })
    session.on('error', error => {
      this.#error = error
    })
    session.on('close', () => this.#closed())
    this.#socket.on('error', error => {
      this.#error = error
    })
    this.#socket.on('close', () => this.#closed())
  }

  /** An open session with room for one more request, or null. */
  static withRoom(target: TargetState): UpstreamSession | null {
    for (const session of target.sessions) {
      if (session instanceof UpstreamSession && session.#state === 'open' && session.#streams < session.#max) {
        return session
      }
    }
    return null
  }

  /**
   * Joins a session that is being dialled, or begins one, that tells `waiter` when it is ready. A dial that has taken too
   * long for one is not joined by others.
   */
  static dial(target: TargetState, waiter: SessionWaiter): void {
    const tooOld = performance.now() - target.pool.policy.connectTimeoutMs
    let joined: UpstreamSession | null = null
    for (const session of target.sessions) {
      if (!(session instanceof UpstreamSession) || session.#state !== 'dialling') continue
      if (session.#since > tooOld) joined = session
    }
    if (joined === null) {
      joined = new UpstreamSession(target)
      target.sessions.push(joined)
    }
    joined.#waiting.add(waiter)
    waiter.waitFor(joined)
  }

  /** Begins a request. Throws where the session takes none. */
  request(fields: Http2Fields, endStream: boolean, waitForTrailers: boolean): ClientHttp2Stream {
    const stream = this.#session.request(fields, { endStream, waitForTrailers })
    if (this.#streams++ === 0) this.#busy()
    stream.on('close', () => this.#onStreamClosed())
    return stream
  }

  /** The request does not wait any more; others go on waiting. Nobody needs a session that is not open and has none. */
  leave(waiter: SessionWaiter): void {
    if (!this.#waiting.delete(waiter) || this.#state === 'open') return
    if (this.#waiting.size > 0 || this.#streams > 0) return
    this.#leave()
    this.#session.destroy()
  }

  /** Whether the instance said, by GOAWAY or by REFUSED_STREAM, that it did nothing for this request. */
  isUntouched(stream: ClientHttp2Stream): boolean {
    return stream.rstCode === NGHTTP2_REFUSED_STREAM || (stream.id ?? 0) > this.lastTaken
  }

  /** Closes it in good order: after the last answer. */
  retire(): void {
    this.#leave()
    if (!this.#session.destroyed) this.#session.close()
    setTimeout(() => {
      if (this.#streams === 0) this.#socket.destroy()
    }, LINGER_MS).unref()
  }

  #ready(): void {
    this.#state = 'open'
    for (const waiter of this.#waiting) {
      // Each begins its request, or has left, before the next one is told.
      if (this.#streams >= this.#max) break
      this.#waiting.delete(waiter)
      waiter.onReady()
    }
    if (this.#streams === 0) this.#idle()
    this.#moveOn()
  }

  /** Who found no room waits for another session. */
  #moveOn(): void {
    const left = [...this.#waiting]
    this.#waiting.clear()
    for (const waiter of left) {
      if (this.#max > 0) UpstreamSession.dial(this.#target, waiter)
      else waiter.onFailed(new Error('the instance takes no requests'))
    }
  }

  #onStreamClosed(): void {
    if (--this.#streams > 0) return
    if (this.#state !== 'open' || this.#target.state !== 'in') this.retire()
    else this.#idle()
  }

  #idle(): void {
    if (this.#target.state !== 'in') {
      this.retire()
      return
    }
    this.retireAt = performance.now() + IDLE_MS
    this.#target.idle.push(this)
  }

  #busy(): void {
    this.retireAt = Infinity
    this.#target.idle.delete(this)
  }

  /** No new requests. */
  #leave(): void {
    this.#state = 'closing'
    this.#busy()
    const at = this.#target.sessions.indexOf(this)
    if (at !== -1) this.#target.sessions.splice(at, 1)
  }

  #closed(): void {
    this.#leave()
    const left = [...this.#waiting]
    this.#waiting.clear()
    for (const waiter of left) waiter.onFailed(this.#error)
  }
}
