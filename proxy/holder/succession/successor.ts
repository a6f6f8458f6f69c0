import type { RoutingTable } from '../../../src/contracts/routing.ts'
import { closeHandle } from '../../connections/sending.ts'
import { inheritedHandle, type BoundHandle } from '../bind.ts'
import type { Holder, Inheritance } from '../holder.ts'
import type { FromSuccessor, ToSuccessor } from './messages.ts'

/** This process's side of a replacement: it was started by the proxy whose place it takes. */
export class Succession {
  #table: RoutingTable | null = null
  #ticketKeys = ''
  #expected = Infinity
  readonly #listeners = new Map<string, BoundHandle>()
  #onInherited: (() => void) | null = null
  #onYours: (() => void) | null = null
  #holder: Holder | null = null
  #isTold = false
  /** The pid of the one it was started by. */
  readonly predecessor = process.ppid
  /** Resolves when that is gone. */
  readonly alone: Promise<void>

  /** `onAbandoned`: the predecessor is gone and has not given its place to this process. */
  constructor(onAbandoned: () => void) {
    process.on('message', (message: ToSuccessor, handle: unknown) => this.#onMessage(message, handle))
    this.alone = new Promise(resolve => {
      process.on('disconnect', () => {
        resolve()
        if (!this.#isTold) onAbandoned()
      })
    })
  }

  /** What it goes on with; resolves once all of it is there. */
  async inheritance(): Promise<Inheritance> {
    if (this.#listeners.size < this.#expected) {
      await new Promise<void>(resolve => {
        this.#onInherited = resolve
      })
    }
    return { table: this.#table, ticketKeys: this.#ticketKeys, listeners: this.#listeners }
  }

  /** `holder` serves: resolves once lock and pid file may be taken. */
  async serves(holder: Holder): Promise<void> {
    this.#holder = holder
    const yours = new Promise<void>(resolve => {
      this.#onYours = resolve
    })
    send({ type: 'serving' })
    await yours
  }

  /** They are taken. From here on connections come. */
  took(): void {
    send({ type: 'took' })
  }

  /** What is left of the predecessor is to end too. */
  stop(): void {
    send({ type: 'stop' })
  }

  #onMessage(message: ToSuccessor, handle: unknown): void {
    switch (message.type) {
      case 'inherit':
        this.#table = message.table
        this.#ticketKeys = message.ticketKeys
        this.#expected = message.listeners
        break
      case 'listener':
        this.#listeners.set(message.address, inheritedHandle(handle, message.port))
        break
      case 'yours':
        this.#isTold = true
        this.#onYours?.()
        break
      case 'connection':
        if (this.#holder === null) closeHandle(handle)
        else this.#holder.take(message.address, handle)
        break
    }
    if (this.#listeners.size >= this.#expected) this.#onInherited?.()
  }
}

function send(message: FromSuccessor): void {
  // The predecessor may have ended meanwhile.
  if (process.connected) process.send?.(message, undefined, undefined, () => {})
}
