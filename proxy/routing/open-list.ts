/** What an OpenList holds: each is in one list at most. */
export interface Listed {
  /** Its place in the list; whoever else writes it breaks the list. */
  openAt: number
}

/**
 * A set for what comes and goes with every request. Not a Set: that leaves its table behind each time it has filled with
 * removals, and a table in old space keeps the next one and all in it from being collected while they are young.
 */
export class OpenList<T extends Listed> {
  readonly #items: T[] = []

  get size(): number {
    return this.#items.length
  }

  add(item: T): void {
    item.openAt = this.#items.length
    this.#items.push(item)
  }

  /** Nothing happens if it is not in. */
  delete(item: T): void {
    const items = this.#items
    const at = item.openAt
    if (items[at] !== item) return
    const last = items.pop()
    if (last === undefined || last === item) return
    items[at] = last
    last.openAt = at
  }

  /** Those that are in now, however many leave meanwhile. */
  all(): T[] {
    return [...this.#items]
  }
}
