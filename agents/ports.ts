import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { writeFileAtomic } from '../src/core/atomic-file.ts'
import { VipswapError, systemCode } from '../src/core/errors.ts'

export interface PortRange {
  readonly from: number
  readonly to: number
}

/**
 * Hands out local ports from a range, going round: a port comes back only after all others were used, so that no proxy
 * still holding an old table can meet a new instance on it. The cursor survives the agent.
 */
export class PortAllocator {
  readonly #file: string
  readonly #host: string
  #range: PortRange
  #next: number
  #turn: Promise<unknown> = Promise.resolve()

  constructor(options: { file: string; host: string; range: PortRange }) {
    this.#file = options.file
    this.#host = options.host
    this.#range = options.range
    this.#next = readCursor(options.file) ?? anywhereIn(options.range)
  }

  setRange(range: PortRange): void {
    this.#range = range
    // One past the end is where a full round leaves it.
    if (this.#next < range.from || this.#next > range.to + 1) this.#next = anywhereIn(range)
  }

  /** `count` ports that nothing listens on now. Throws `internal` if the whole range is taken. */
  async allocate(count: number): Promise<number[]> {
    // One at a time: two callers must never be given the same port.
    const mine = this.#turn.then(async () => this.#take(count))
    this.#turn = mine.catch(() => {})
    return mine
  }

  async #take(count: number): Promise<number[]> {
    const { from, to } = this.#range
    const ports: number[] = []
    for (let tried = 0; ports.length < count; tried += 1) {
      if (tried > to - from) throw new VipswapError('internal', `no free port left between ${from} and ${to}`)
      const port = this.#next < from || this.#next > to ? from : this.#next
      this.#next = port + 1
      if (await isFree(this.#host, port)) ports.push(port)
    }
    if (count > 0) writeFileAtomic(this.#file, `${JSON.stringify({ next: this.#next })}\n`, { durable: false })
    return ports
  }
}

/** Binding tells: it conflicts with a listener on the same address and with one on all addresses. */
async function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', error => {
      if (['EADDRINUSE', 'EACCES'].includes(systemCode(error) ?? '')) resolve(false)
      else reject(error)
    })
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)))
  })
}

function readCursor(file: string): number | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'))
    if (typeof value === 'object' && value !== null && 'next' in value && typeof value.next === 'number') {
      return value.next
    }
  } catch {
    // None yet, or damaged: any start is as good.
  }
  return undefined
}

/** A first port by chance: two fabrics on one machine seldom start at the same. */
function anywhereIn({ from, to }: PortRange): number {
  return from + Math.floor(Math.random() * (to - from + 1))
}
