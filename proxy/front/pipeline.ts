/** Bytes kept while a request is being served; beyond that the client is not read. */
const MAX = 64 * 1024

/** What a client sends before the request in front of it is answered. */
export class Pipeline {
  #parts: Buffer[] = []
  #bytes = 0

  get isEmpty(): boolean {
    return this.#bytes === 0
  }

  /** Adds `part`, whose memory stays as it is. False: that is all that should be read. */
  keep(part: Buffer): boolean {
    this.#parts.push(part)
    this.#bytes += part.length
    return this.#bytes < MAX
  }

  /** All that is kept, in one piece, and kept no more; null if it is nothing. */
  take(): Buffer | null {
    const [first, ...others] = this.#parts
    if (first === undefined) return null
    this.#parts = []
    this.#bytes = 0
    return others.length === 0 ? first : Buffer.concat([first, ...others])
  }
}
