import type { ClientRequest } from 'node:http'
import type { Duplex } from 'node:stream'
import { LINK_PROTOCOL, type FromProxy, type ProxyHello, type ToProxy } from '../../src/contracts/link.ts'
import { backoffDelay } from '../../src/core/backoff.ts'
import { jsonLines, type JsonLines } from '../../src/core/json-lines.ts'
import { askController, type ControllerRoad } from '../../src/core/member/controller-road.ts'

const BACKOFF = { firstMs: 50, capMs: 1000 }

/** The holder's line to the controller: dialled again for ever. */
export class ControllerLink {
  readonly #road: ControllerRoad
  readonly #hello: () => ProxyHello
  readonly #onMessage: (message: ToProxy) => void
  readonly #onUp: () => void
  #lines: JsonLines | null = null
  #request: ClientRequest | null = null
  #timer: NodeJS.Timeout | null = null
  #attempt = 0
  #closed = false

  /** `hello` is asked at each connection; `onUp` is called after it was sent. */
  constructor(
    road: ControllerRoad,
    handlers: { hello: () => ProxyHello; onMessage: (message: ToProxy) => void; onUp: () => void },
  ) {
    this.#road = road
    this.#hello = handlers.hello
    this.#onMessage = handlers.onMessage
    this.#onUp = handlers.onUp
  }

  start(): void {
    this.#dial()
  }

  /** Says something if the controller is there; it is level-triggered, so nothing is kept for later. */
  send(message: FromProxy): void {
    this.#lines?.send(message)
  }

  close(): void {
    this.#closed = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#request?.destroy()
    this.#lines?.end()
  }

  #dial(): void {
    let opened = false
    const dialled = askController(this.#road, {
      path: '/link',
      headers: { Connection: 'Upgrade', Upgrade: LINK_PROTOCOL },
    })
    this.#request = dialled
    dialled.on('upgrade', (_response, socket: Duplex, head: Buffer) => {
      opened = true
      if (head.length > 0) socket.unshift(head)
      this.#open(socket)
    })
    dialled.on('response', response => response.destroy())
    dialled.on('error', () => {})
    dialled.on('close', () => {
      if (!opened) this.#again()
    })
    dialled.end()
  }

  #open(socket: Duplex): void {
    this.#attempt = 0
    const lines = jsonLines(socket, {
      // The controller is trusted; its messages have the contract's shapes.
      onValue: value => this.#onMessage(value as ToProxy),
      onClose: () => {
        this.#lines = null
        this.#again()
      },
    })
    this.#lines = lines
    lines.send(this.#hello())
    this.#onUp()
  }

  #again(): void {
    if (this.#closed) return
    this.#timer = setTimeout(() => this.#dial(), backoffDelay(this.#attempt++, BACKOFF, Math.random()))
  }
}
