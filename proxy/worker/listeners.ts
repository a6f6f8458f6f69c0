import { createServer, type AddressInfo, type Server } from 'node:net'
import { systemCode } from '../../src/core/errors.ts'
import type { DataPlane } from './data-plane.ts'

/** A worker's listening sockets, one per address. Connections are counted by the data plane: a server loses count of wrapped ones. */
export class Listeners {
  readonly #plane: DataPlane
  readonly #servers = new Map<string, Server>()

  readonly #onFailed: (address: string, code: string) => void

  /** `onFailed`: a handle could not be listened on, with the system's error code. */
  constructor(plane: DataPlane, onFailed: (address: string, code: string) => void = () => {}) {
    this.#plane = plane
    this.#onFailed = onFailed
  }

  /** Listens on a bound handle that the holder sent. */
  listenHandle(address: string, handle: unknown): void {
    const server = this.#server(address)
    server.on('error', error => {
      this.#servers.delete(address)
      this.#onFailed(address, systemCode(error) ?? error.message)
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
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, socket => {
      this.#plane.accept(address, socket)
    })
    this.#servers.set(address, server)
    return server
  }
}
