import { Socket } from 'node:net'
import type { ByteHandler } from '../connections/byte-stream.ts'
import { Peer, type Ends } from '../connections/peer.ts'
import { HandleStream } from '../connections/handle-stream.ts'
import { SocketStream } from '../connections/socket-stream.ts'
import { endsOfHandle, socketAround, type TcpHandle } from '../connections/tcp-handle.ts'
import type { Site } from '../routing/snapshot.ts'
import { Terminators } from '../tls/terminators.ts'
import type { Doors } from './doors.ts'
import { IntakeFailures } from './intake-failures.ts'
import { Opening } from './opening.ts'

/** At once, per worker. One holds at most 80 KiB, and TLS its own state of about as much. */
const MAX_OPENINGS = 4096

/**
 * Finds out what an accepted connection is and hands it on: at once where its address speaks plain HTTP or anything (tcp),
 * else after its PROXY protocol header and its TLS handshake.
 */
export class Intake {
  readonly failures = new IntakeFailures()
  readonly terminators = new Terminators()
  readonly #doors: Doors
  #openings = 0

  constructor(doors: Doors) {
    this.#doors = doors
  }

  /** A socket (where a Node has no such handles) must be paused, with half-open connections allowed. */
  accept(address: string, accepted: TcpHandle | Socket): void {
    const site = this.#doors.snapshot.sites.get(address)
    const ends = accepted instanceof Socket ? endsOfSocket(accepted) : endsOfHandle(accepted)
    const first = site === undefined ? null : beginsWith(site)
    if (first === null) {
      const peer = new Peer(ends, null)
      const stream =
        accepted instanceof Socket ? SocketStream.accepted(accepted, NOBODY) : HandleStream.accepted(accepted, NOBODY)
      if (site?.protocol === 'tcp') this.#doors.serveTcp(address, peer, stream)
      else this.#doors.serveHttp1(address, peer, stream)
      return
    }
    const socket = accepted instanceof Socket ? accepted : socketAround(accepted)
    // One that may as well be idle speaking HTTP/1.1 counts once it has said something.
    if (first !== 'preface' && !this.enter(address)) {
      socket.resetAndDestroy()
      return
    }
    const stream = SocketStream.accepted(socket, NOBODY)
    const opening = new Opening(this.#doors, this, address, ends, stream, first)
    this.#doors.add(opening)
  }

  /** A connection of plain HTTP/1.1 that another process gave away between two requests. */
  take(address: string, handle: TcpHandle): void {
    this.#doors.serveHttp1(address, new Peer(endsOfHandle(handle), null), HandleStream.accepted(handle, NOBODY))
  }

  /** One more that costs what an opening may. False: there are too many. */
  enter(address: string): boolean {
    if (this.#openings >= MAX_OPENINGS) {
      this.failures.add('too-many', address, `${MAX_OPENINGS} connections are not past their handshake`)
      return false
    }
    this.#openings++
    return true
  }

  /** One fewer. */
  leave(): void {
    this.#openings--
  }

  /** It was handed on, or is gone. */
  over(opening: Opening): void {
    this.#doors.remove(opening)
  }
}

/** What comes before the first request of a connection; null: nothing. */
function beginsWith(site: Site): 'proxy-header' | 'client-hello' | 'preface' | null {
  if (site.first.listener.options.proxyProtocol) return 'proxy-header'
  if (site.protocol === 'https') return 'client-hello'
  return site.protocol === 'http' && site.http2 ? 'preface' : null
}

function endsOfSocket(socket: Socket): Ends {
  // Undefined where the client has gone again already.
  const { remoteAddress = '', remotePort = 0, localAddress = '', localPort = 0 } = socket
  return { address: remoteAddress, port: remotePort, localAddress, localPort }
}

const NOBODY: ByteHandler = { onBytes: nothing, onEnd: nothing, onDrain: nothing, onClose: nothing }

function nothing(): void {
  // Whoever it is handed on to becomes its handler in the same step.
}
