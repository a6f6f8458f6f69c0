/** Wakes one loop: a ring while nobody waits is kept for the next wait. */
export class Bell {
  #rung = false
  #wake: (() => void) | null = null

  ring(): void {
    this.#rung = true
    this.#wake?.()
  }

  /** Settles at the next ring, or after `ms`. */
  async wait(ms?: number): Promise<void> {
    if (!this.#rung) {
      await new Promise<void>(resolve => {
        const timer = ms === undefined ? undefined : setTimeout(resolve, ms)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
      this.#wake = null
    }
    this.#rung = false
  }
}
