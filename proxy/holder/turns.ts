/** What changes the same thing does so one after the other. */
export class Turns {
  /** The last one that has begun or waits; null: none. */
  #last: Promise<void> | null = null

  /** Begins `act` in this very step if nothing else is under way, else after what is. Fails as `act` does. */
  async take(act: () => Promise<void>): Promise<void> {
    const mine = this.#last === null ? act() : this.#last.then(act)
    const turn = mine
      .catch(() => {})
      .then(() => {
        if (this.#last === turn) this.#last = null
      })
    this.#last = turn
    await mine
  }
}
