import type { Socket } from 'node:net'
import { LINK_PROTOCOL, type AgentHello, type FromAgent, type ToAgent } from '../src/contracts/link.ts'
import { backoffDelay } from '../src/core/backoff.ts'
import { jsonLines, type JsonLines } from '../src/core/json-lines.ts'
import type { Logger } from '../src/core/logger.ts'
import { askController, type ControllerRoad } from '../src/core/member/controller-road.ts'

const HANDSHAKE_MS = 5000

export interface LinkOptions {
  readonly road: ControllerRoad
  readonly log: Logger
  readonly hello: () => AgentHello
  readonly onOpen: () => void
  readonly onMessage: (message: ToAgent) => void
  readonly onClose: () => void
}

/** The agent's end of the link: dials for ever with a short back-off. Nothing else depends on it being up. */
export class ControllerLink {
  readonly #options: LinkOptions
  #socket: Socket | null = null
  #lines: JsonLines | null = null
  #attempt = 0
  #retry: NodeJS.Timeout | undefined
  #closed = false

  constructor(options: LinkOptions) {
    this.#options = options
  }

  start(): void {
    this.#dial()
  }

  /** Sends if the link is up; what is lost otherwise is a level and is told again after the next hello. */
  send(message: FromAgent): void {
    this.#lines?.send(message)
  }

  /** Settles when the peer has taken what was sent, or the link is gone. */
  async drained(): Promise<void> {
    const socket = this.#socket
    if (socket === null || !socket.writableNeedDrain) return
    await new Promise<void>(resolve => {
      socket.once('drain', resolve)
      socket.once('close', resolve)
    })
  }

  /** Hangs up and dials again: the controller then says everything once more. */
  redial(): void {
    this.#lines?.destroy()
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#retry)
    this.#lines?.end()
    this.#socket?.unref()
  }

  #dial(): void {
    const { road, log } = this.#options
    const dialled = askController(road, {
      path: '/link',
      timeout: HANDSHAKE_MS,
      headers: { Host: 'controller', Connection: 'Upgrade', Upgrade: LINK_PROTOCOL },
    })
    let opened = false
    dialled.on('upgrade', (_response, socket: Socket, head) => {
      opened = true
      if (this.#closed) socket.destroy()
      else this.#open(socket, head)
    })
    dialled.on('response', response => {
      log.warn({ status: response.statusCode }, 'the controller refuses the link')
      response.destroy()
    })
    dialled.on('timeout', () => {
      if (!opened) dialled.destroy()
    })
    // Errors are the usual case while the controller is away; 'close' follows each.
    dialled.on('error', error => log.debug({ error: error.message }, 'no link'))
    dialled.on('close', () => {
      if (!opened) this.#dialLater()
    })
    dialled.end()
  }

  #open(socket: Socket, head: Buffer): void {
    const { log, hello, onOpen, onMessage, onClose } = this.#options
    socket.setTimeout(0)
    if (head.length > 0) socket.unshift(head)
    this.#attempt = 0
    this.#socket = socket
    this.#lines = jsonLines(socket, {
      onValue: value => {
        if (isMessage(value)) onMessage(value)
        else log.warn('the controller sent something that is no message')
      },
      onClose: reason => {
        this.#lines = null
        this.#socket = null
        log.info({ reason: reason?.message }, 'the link is closed')
        onClose()
        this.#dialLater()
      },
    })
    this.#lines.send(hello())
    log.info('the link is open')
    onOpen()
  }

  #dialLater(): void {
    if (this.#closed) return
    const ms = backoffDelay(this.#attempt, { firstMs: 50, capMs: 1000 }, Math.random())
    this.#attempt += 1
    this.#retry = setTimeout(() => this.#dial(), ms)
  }
}

/** The controller is trusted to send what the contract says; this tells messages from noise. */
function isMessage(value: unknown): value is ToAgent {
  if (typeof value !== 'object' || value === null || !('type' in value)) return false
  switch (value.type) {
    case 'assignment':
      return 'assignment' in value && typeof value.assignment === 'object' && value.assignment !== null
    case 'log':
    case 'log-cancel':
      return 'request' in value && typeof value.request === 'string'
    default:
      return false
  }
}
