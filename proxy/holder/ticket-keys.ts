import { randomBytes } from 'node:crypto'

/** How long keys of session tickets are used. Who holds a ticket made with earlier ones shakes hands in full. */
const LIFE_MS = 12 * 3_600_000
/** What OpenSSL wants for the key's name, its MAC and its cipher. */
const OCTETS = 48

/**
 * The keys of TLS session tickets, the same for all workers so that a client resumes its session with any of them. Random,
 * never on disk, changed twice a day: what was recorded is not to be read with keys found later.
 */
export class TicketKeys {
  #current: Buffer
  readonly #timer: NodeJS.Timeout

  /** `onChange` is to give the new ones to every worker; `first`: those to begin with, base64. */
  constructor(onChange: () => void, first?: string, lifeMs = LIFE_MS) {
    this.#current = first === undefined ? randomBytes(OCTETS) : Buffer.from(first, 'base64')
    this.#timer = setInterval(() => {
      this.#current = randomBytes(OCTETS)
      onChange()
    }, lifeMs)
    this.#timer.unref()
  }

  /** Base64, for a message. */
  get current(): string {
    return this.#current.toString('base64')
  }

  close(): void {
    clearInterval(this.#timer)
  }
}
