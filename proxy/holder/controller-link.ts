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
  readonly #onCaughtUp: () => void
  #lines: JsonLines | null = null
  #request: ClientRequest | null = null
  #timer: NodeJS.Timeout | null = null
  #attempt = 0
  #closed = false
  /** News was left out. */
  #isSkipped = false

  /** `hello` is asked at each connection; `onUp` is called after it was sent; `onCaughtUp` when news left out may follow. */
  constructor(
    road: ControllerRoad,
    handlers: {
      hello: () => ProxyHello
      onMessage: (message: ToProxy) => void
      onUp: () => void
      onCaughtUp: () => void
    },
  ) {
    this.#road = road
    this.#hello = handlers.hello
    this.#onMessage = handlers.onMessage
    this.#onUp = handlers.onUp
    this.#onCaughtUp = handlers.onCaughtUp
  }

  start(): void {
    this.#dial()
  }

  /** Says something if the controller is there; it is level-triggered, so nothing is kept for later. */
  send(message: FromProxy): void {
    this.#lines?.send(message)
  }

  /** As `send`, but nothing while the controller is behind: what is said later is as good. */
  sendNews(message: FromProxy): void {
    if (this.#lines?.isBehind === true) this.#isSkipped = true
    else this.send(message)
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
      onDrain: () => {
        if (!this.#isSkipped) return
        this.#isSkipped = false
        this.#onCaughtUp()
      },
      onClose: () => {
        this.#lines = null
        this.#isSkipped = false
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
