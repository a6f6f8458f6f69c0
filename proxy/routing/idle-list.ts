/** An idle or busy connection to a target, as far as retiring needs to know. */
export interface Retirable {
  readonly retireAt: number
  retire(): void
}

/** How many are in all the lists that share it. */
export class IdleCount {
  value = 0
}

/** Idle connections to one target, most recently used last. */
export class IdleList {
  readonly #items: Retirable[] = []
  readonly #count: IdleCount

  constructor(count: IdleCount) {
    this.#count = count
  }

  push(connection: Retirable): void {
    this.#items.push(connection)
    this.#count.value++
  }

  /** The most recently used one, which is in no more. */
  pop(): Retirable | undefined {
    const last = this.#items.pop()
    if (last !== undefined) this.#count.value--
    return last
  }

  /** Nothing happens if it is not in. */
  delete(connection: Retirable): void {
    const at = this.#items.indexOf(connection)
    if (at === -1) return
    this.#items.splice(at, 1)
    this.#count.value--
  }

  /** Closes what has been idle for too long, at `now`. */
  retireStale(now: number): void {
    const items = this.#items
    for (let index = items.length - 1; index >= 0; index--) {
      const connection = items[index]
      if (connection === undefined || connection.retireAt > now) continue
      items.splice(index, 1)
      this.#count.value--
      connection.retire()
    }
  }

  retireAll(): void {
    for (let last = this.pop(); last !== undefined; last = this.pop()) last.retire()
  }
}
