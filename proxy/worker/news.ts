/** Reports of one kind: no other is made before the last has left, so that none pile up while nobody takes them. */
export class News<Message> {
  readonly #send: (message: Message, sent: () => void) => void
  #isOnWay = false
  readonly #onSent = (): void => {
    this.#isOnWay = false
  }

  /** `send` calls `sent` once the message has left, or never will. */
  constructor(send: (message: Message, sent: () => void) => void) {
    this.#send = send
  }

  /** False: not now, what there is to say is to be said later. */
  tell(make: () => Message): boolean {
    if (this.#isOnWay) return false
    this.#isOnWay = true
    this.#send(make(), this.#onSent)
    return true
  }
}
