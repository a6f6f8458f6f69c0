/**
 * Messages with a handle on their way over an IPC channel. Node sends the next one once the one before was received, and
 * forgets those that wait when the channel closes: their callbacks never come, so `lost` does what they would have done.
 */
export class Sending {
  readonly #open = new Set<() => void>()
  #onNone: (() => void)[] = []

  /** One more. Answers what to give to `send` as its callback; calls `sent` once, then or when all is lost. */
  begin(sent: () => void): () => void {
    const done = (): void => {
      if (!this.#open.delete(done)) return
      sent()
      if (this.#open.size === 0) for (const tell of this.#onNone.splice(0)) tell()
    }
    this.#open.add(done)
    return done
  }

  /** The channel is closed. */
  lost(): void {
    for (const done of this.#open) done()
  }

  /** Resolves when none is on its way. */
  async none(): Promise<void> {
    if (this.#open.size === 0) return
    await new Promise<void>(resolve => {
      this.#onNone.push(resolve)
    })
  }
}
