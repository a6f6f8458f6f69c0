import type { Upstream } from '../upstream/upstream.ts'
import type { Caller } from './caller.ts'

/** How much of a body is kept while its request has no connection to an instance. */
const KEPT = 64 * 1024

/** A request's body on its way: kept until there is a connection, then written on, reading no faster than it is taken. */
export class RequestBody {
  /** What came with the head, as latin1 text to be sent in one piece with it. */
  initial = ''
  /** Octets of payload that have come in, as far as a bound on the body needs to know. */
  received = 0
  /** The client has sent all of it. */
  complete = false
  /** Reading the client is stopped because the instance does not take what it was sent. */
  blocked = false
  /** The last bytes written on are still pending. */
  unsent = false
  /** Octets beyond `initial` that have come. */
  #later = 0
  readonly #caller: Caller
  #queue: Buffer[] = []
  #queued = 0
  /** Something beyond `initial` was sent and is not here any more. */
  #consumed = false

  constructor(caller: Caller) {
    this.#caller = caller
  }

  /** All of it is still here. */
  get replayable(): boolean {
    return this.complete && !this.#consumed
  }

  /** Octets that have come from the client. */
  get octets(): number {
    return this.initial.length + this.#later
  }

  get size(): number {
    return this.initial.length + this.#queued
  }

  /** Keeps bytes for later; stops reading at 64 KiB, and goes on once they are sent. */
  queue(bytes: Buffer, start: number, end: number): void {
    this.#later += end - start
    this.#queue.push(Buffer.from(bytes.subarray(start, end)))
    this.#queued += end - start
    if (this.#queued >= KEPT && !this.complete) this.#caller.pause()
  }

  /** The head is sent: sends what was kept after it. */
  flush(upstream: Upstream): void {
    if (this.#queued > 0) {
      this.#consumed = true
      for (const bytes of this.#queue) upstream.write(bytes)
      this.#queue = []
      this.#queued = 0
    }
    this.#afterWrite(upstream)
    if (!this.blocked) this.#caller.resume()
  }

  /** Writes bytes on as they come. */
  write(bytes: Buffer, start: number, end: number, upstream: Upstream | null): void {
    this.#consumed = true
    this.#later += end - start
    if (upstream === null) return
    const part = bytes.subarray(start, end)
    upstream.write(this.#caller.volatile ? Buffer.from(part) : part)
    this.#afterWrite(upstream)
  }

  onDrain(): void {
    if (!this.blocked) return
    this.blocked = false
    this.#caller.resume()
  }

  #afterWrite(upstream: Upstream): void {
    this.unsent = upstream.pending > 0
    if (!this.unsent || this.complete) return
    this.blocked = true
    this.#caller.pause()
  }
}
