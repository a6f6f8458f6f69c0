interface Entry {
  readonly at: number
  readonly order: number
  readonly what: () => void
}

/** What is to happen, by time, and in the order of asking where times are equal: a binary heap. */
export class TimedQueue {
  time = 0
  #order = 0
  readonly #heap: Entry[] = []

  add(at: number, what: () => void): void {
    const entry = { at, order: this.#order++, what }
    const heap = this.#heap
    let child = heap.push(entry) - 1
    while (child > 0) {
      const parent = (child - 1) >> 1
      const above = heap[parent]
      if (above === undefined || !sooner(entry, above)) break
      heap[child] = above
      child = parent
    }
    heap[child] = entry
  }

  /** Takes what comes next, at its time; null, and the time is `end`, if nothing comes by then. */
  next(end: number): (() => void) | null {
    const first = this.#heap[0]
    if (first === undefined || first.at > end) {
      this.time = end
      return null
    }
    this.#pop()
    this.time = first.at
    return first.what
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let parent = 0
    for (;;) {
      let child = 2 * parent + 1
      const left = heap[child]
      if (left === undefined) break
      const right = heap[child + 1]
      if (right !== undefined && sooner(right, left)) child += 1
      const best = heap[child]
      if (best === undefined || !sooner(best, last)) break
      heap[parent] = best
      parent = child
    }
    heap[parent] = last
  }
}

function sooner(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}
