/** Calls all who take part at the same moments, by one timer: an idle agent wakes up as often for a hundred processes as for one. */
export class Round {
  readonly #everyMs: number
  readonly #looks = new Set<() => void>()
  #timer: NodeJS.Timeout | undefined

  constructor(everyMs: number) {
    this.#everyMs = everyMs
  }

  /** Takes part from now on; answers how to leave. */
  join(look: () => void): () => void {
    this.#looks.add(look)
    this.#timer ??= setInterval(() => {
      for (const each of this.#looks) each()
    }, this.#everyMs)
    return () => {
      this.#looks.delete(look)
      if (this.#looks.size > 0) return
      clearInterval(this.#timer)
      this.#timer = undefined
    }
  }
}
