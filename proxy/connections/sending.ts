/** What Node's `process` and a child process have where they speak by IPC. */
interface Channel {
  readonly connected: boolean
  // A native TCP handle may be sent as a socket may; only the types do not know.
  send?(message: object, handle: undefined, options: object, sent: () => void): boolean
}

/** Whatever else is said over the channel waits behind those on their way, each for an answer from the other side. */
const AT_ONCE = 16

/**
 * Gives connections away over an IPC channel, each with its message, a few at a time. Once one was sent this process's own
 * copy of the handle is closed. Node forgets what waits when the channel closes, without a callback: `lost` sees to those.
 */
export class Sending<Message extends object> {
  readonly #channel: Channel
  readonly #open = new Set<() => void>()
  #queue: { readonly message: Message; readonly handle: unknown }[] = []
  #onRoom: (() => void)[] = []
  #onNone: (() => void)[] = []

  constructor(channel: Channel) {
    this.#channel = channel
  }

  give(message: Message, handle: unknown): void {
    this.#queue.push({ message, handle })
    this.#sendSome()
  }

  /** Resolves when another one could go out at once; null: it could now. */
  room(): Promise<void> | null {
    if (this.#open.size < AT_ONCE) return null
    return new Promise(resolve => {
      this.#onRoom.push(resolve)
    })
  }

  /** Resolves when none is on its way, nor waits. */
  async none(): Promise<void> {
    if (this.#open.size === 0) return
    await new Promise<void>(resolve => {
      this.#onNone.push(resolve)
    })
  }

  /** The channel is closed. */
  lost(): void {
    for (const { handle } of this.#queue.splice(0)) closeHandle(handle)
    for (const done of this.#open) done()
  }

  #sendSome(): void {
    while (this.#open.size < AT_ONCE) {
      const next = this.#queue.shift()
      if (next === undefined) break
      const done = (): void => {
        if (!this.#open.delete(done)) return
        closeHandle(next.handle)
        this.#sendSome()
      }
      this.#open.add(done)
      if (this.#channel.connected) this.#channel.send?.(next.message, next.handle as undefined, {}, done)
      else this.lost()
    }
    if (this.#open.size < AT_ONCE) for (const tell of this.#onRoom.splice(0)) tell()
    if (this.#open.size === 0) for (const tell of this.#onNone.splice(0)) tell()
  }
}

/** Closes this process's copy of a handle that was sent. */
export function closeHandle(handle: unknown): void {
  // Whatever is sent here is a TCP handle.
  ;(handle as { close(done: () => void): void }).close(() => {})
}
