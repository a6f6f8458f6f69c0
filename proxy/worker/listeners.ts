import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { systemCode } from '../../src/core/errors.ts'
import { acceptHandles, type TcpHandle } from '../connections/tcp-handle.ts'
import type { DataPlane } from './data-plane.ts'

const ROOM_AGAIN_MS = 50
/** Descriptors to be free before listening again, as a part of all. */
const FREE_AGAIN = 0.1

interface ListenerEvents {
  /** A handle could not be listened on, with the system's error code. */
  onFailed(address: string, code: string): void
  /** Descriptors are free again: every handle is wanted again. */
  onRoom(): void
}

const NOBODY: ListenerEvents = { onFailed: () => {}, onRoom: () => {} }

/**
 * A worker's listening sockets, one per address. Connections are counted by the data plane: a server loses count of
 * wrapped ones. When `room` descriptors are in use it listens no more until some are free, and what connects meanwhile
 * waits in the kernel, or goes to another worker.
 */
export class Listeners {
  readonly #plane: DataPlane
  readonly #servers = new Map<string, Server>()
  readonly #events: ListenerEvents
  readonly #room: number
  #resting: NodeJS.Timeout | null = null

  constructor(plane: DataPlane, events: ListenerEvents = NOBODY, room = Infinity) {
    this.#plane = plane
    this.#events = events
    this.#room = room
  }

  /** Listens on a bound handle that the holder sent. */
  listenHandle(address: string, handle: unknown): void {
    if (this.#resting !== null) {
      // Whatever came by the channel with a handle is one, and can be closed.
      ;(handle as { close(): void }).close()
      return
    }
    const server = this.#server(address)
    server.on('error', error => {
      this.#servers.delete(address)
      this.#events.onFailed(address, systemCode(error) ?? error.message)
    })
    // A TCP handle is one of the things `listen` takes; its type is not public.
    server.listen(handle as { fd: number })
  }

  /** Listens by itself (tests, tools). Answers the port. */
  async listenPort(address: string, host: string, port: number): Promise<number> {
    const server = this.#server(address)
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, host, resolve)
    })
    // A server that listens on a port has an AddressInfo.
    return (server.address() as AddressInfo).port
  }

  /** Accepts no more at this address. Its connections go on. */
  close(address: string): void {
    this.#servers.get(address)?.close()
    this.#servers.delete(address)
  }

  closeAll(): void {
    for (const address of this.#servers.keys()) this.close(address)
  }

  #server(address: string): Server {
    this.close(address)
    const accept = (accepted: TcpHandle | Socket): void => {
      this.#plane.accept(address, accepted)
      if (this.#plane.descriptors >= this.#room) this.#rest()
    }
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, accept)
    server.on('listening', () => acceptHandles(server, accept))
    this.#servers.set(address, server)
    return server
  }

  #rest(): void {
    if (this.#resting !== null) return
    this.closeAll()
    this.#resting = setInterval(() => {
      if (this.#resting === null || this.#plane.descriptors > this.#room * (1 - FREE_AGAIN)) return
      clearInterval(this.#resting)
      this.#resting = null
      this.#events.onRoom()
    }, ROOM_AGAIN_MS)
    this.#resting.unref()
  }
}
