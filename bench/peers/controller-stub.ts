import { createServer } from 'node:http'
import { join } from 'node:path'
import { LINK_PROTOCOL, type FromProxy, type ToProxy } from '../../src/contracts/link.ts'
import type { RoutingTable } from '../../src/contracts/routing.ts'
import { jsonLines, type JsonLines } from '../../src/core/json-lines.ts'

type Ack = Extract<FromProxy, { type: 'ack' }>

/** Speaks the controller's end of the link, and nothing else: says the newest table to whoever is there. */
export class ControllerStub {
  readonly #server = createServer()
  readonly #links = new Set<JsonLines>()
  readonly #waiting = new Map<number, (ack: Ack) => void>()
  #table: RoutingTable | null = null

  constructor() {
    this.#server.on('upgrade', (_request, socket) => {
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${LINK_PROTOCOL}\r\n\r\n`)
      const link = jsonLines(socket, {
        onValue: value => this.#receive(link, value as FromProxy),
        onClose: () => this.#links.delete(link),
      })
      this.#links.add(link)
    })
  }

  async listen(run: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(join(run, 'controller.sock'), resolve)
    })
  }

  /** Makes this the table; resolves when the proxy has acknowledged it. */
  async push(table: RoutingTable): Promise<Ack> {
    this.#table = table
    const acknowledged = new Promise<Ack>(resolve => {
      this.#waiting.set(table.revision.n, resolve)
    })
    for (const link of this.#links) link.send({ type: 'table', table } satisfies ToProxy)
    return acknowledged
  }

  close(): void {
    for (const link of this.#links) link.destroy()
    this.#server.close()
  }

  #receive(link: JsonLines, message: FromProxy): void {
    if (message.type === 'hello' && this.#table !== null) {
      link.send({ type: 'table', table: this.#table } satisfies ToProxy)
    } else if (message.type === 'ack') {
      this.#waiting.get(message.revision.n)?.(message)
      this.#waiting.delete(message.revision.n)
    }
  }
}
