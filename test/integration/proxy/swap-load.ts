import { connect, type Socket } from 'node:net'
import type { RoutingTable } from '../../../src/contracts/routing.ts'
import type { Seen } from '../../support/swap-history.ts'
import { free, GET } from './holder-support.ts'
import { pool, table, target } from './support.ts'

/** How many swaps ago a side may have been current and still be in the table. */
const KEPT = 4

/**
 * The table after swap `version`: the address leads to a pool of its own, whose instance is called by that number. There are
 * few deployments, taken by turns: counts are kept for each.
 */
export function swapped(version: number, origin: { port: number }): RoutingTable {
  const pools = []
  for (let number = Math.max(0, version - KEPT); number <= version; number++) {
    const deployment = `d${number % (KEPT + 1)}`
    const name = `web_IN_${number}`
    pools.push(pool([target(origin, { key: `${deployment}/${name}#1.1`, name })], { key: name, deployment }))
  }
  return table(pools, { listeners: [{ ...free(), pool: `web_IN_${version}` }], limits: { exposeInstance: true } })
}

/** A client that asks again as soon as it is answered, on one connection; a new one if that is cut. */
export class SwapClient {
  readonly seen: Seen[] = []
  /** Answers that were not 200. */
  readonly refused: string[] = []
  cuts = 0
  readonly #port: number
  #socket: Socket | null = null
  #sent = 0
  #text = ''
  #stopped: (() => void) | null = null
  #stopping: Promise<void> | null = null

  constructor(port: number) {
    this.#port = port
    this.#dial()
  }

  /** The newest version that it has seen. */
  get newest(): number {
    return this.seen.at(-1)?.version ?? -1
  }

  /** Resolves when its last request is answered. */
  async stop(): Promise<void> {
    this.#stopping ??= new Promise<void>(resolve => {
      this.#stopped = resolve
    })
    await this.#stopping
  }

  #dial(): void {
    const socket = connect({ port: this.#port, host: '127.0.0.1', noDelay: true })
    this.#socket = socket
    this.#text = ''
    socket.on('connect', () => this.#ask())
    socket.on('data', chunk => this.#onData(chunk.toString('latin1')))
    socket.on('error', () => {})
    socket.on('close', () => {
      if (this.#socket !== socket) return
      this.cuts++
      if (this.#stopped === null) this.#dial()
      else this.#stopped()
    })
  }

  #ask(): void {
    this.#sent = performance.now()
    this.#socket?.write(GET)
  }

  #onData(text: string): void {
    this.#text += text
    if (!this.#text.endsWith('\r\n\r\nx')) {
      if (this.#text.startsWith('HTTP/1.1 200') || this.#text.length < 12) return
      this.refused.push(this.#text.slice(9, 12))
      this.#text = ''
      this.#socket?.destroy()
      return
    }
    const version = Number(/\r\nX-Vipswap-Instance: web_IN_(\d+)\r\n/.exec(this.#text)?.[1] ?? Number.NaN)
    this.seen.push({ sent: this.#sent, received: performance.now(), version })
    this.#text = ''
    if (this.#stopped === null) this.#ask()
    else {
      const socket = this.#socket
      this.#socket = null
      socket?.destroy()
      this.#stopped()
    }
  }
}
