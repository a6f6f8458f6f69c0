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
  #lent: Buffer | null = null
  /** Most bodies never wait. */
  #queue: Buffer[] | null = null
  #queued = 0
  /** Reading the client is stopped for this body's sake. */
  #paused = false
  /** Something beyond `initial` was sent and is not here any more. */
  #consumed = false
  /** What was sent beyond `initial` and is kept; null: nothing is kept. */
  #sent: Buffer[] | null = null
  #sentBytes = 0

  constructor(caller: Caller) {
    this.#caller = caller
  }

  /**
   * What came with the head, where it was read: sent from there if the request goes on in this very step, else kept by
   * `settle`.
   */
  lend(bytes: Buffer, start: number, end: number): void {
    this.#lent = bytes.subarray(start, end)
    this.#later += end - start
  }

  /** The step is over: its memory will be read into again. */
  settle(): void {
    const lent = this.#lent
    if (lent === null) return
    this.#lent = null
    this.#later -= lent.length
    this.queue(lent, 0, lent.length)
  }

  /** What was lent, to be sent with the head; or null. It may be used in this step only. */
  takeLent(): Buffer | null {
    const lent = this.#lent
    if (lent === null) return null
    this.#lent = null
    if (this.#sent === null) this.#consumed = true
    else this.#keep(Buffer.from(lent))
    return lent
  }

  /** `lent`, which `takeLent` gave in this step, was not sent after all. */
  takeBack(lent: Buffer | null): void {
    if (lent === null || this.#sent !== null) return
    this.#consumed = false
    this.#queue = [Buffer.from(lent), ...(this.#queue ?? [])]
    this.#queued += lent.length
  }

  /** All of it is still here. */
  get replayable(): boolean {
    return this.complete && !this.#consumed
  }

  /** Octets that have come from the client. */
  get octets(): number {
    return this.initial.length + this.#later
  }

  /** Nothing that came of it is lost. */
  get intact(): boolean {
    return !this.#consumed
  }

  /** From here on what is sent is kept too, up to 64 KiB: an instance may say that it did nothing for the request. */
  keepSent(): void {
    if (!this.#consumed) this.#sent ??= []
  }

  /** No more replays: what was kept is let go. */
  forgetSent(): void {
    if (this.#sentBytes > 0) this.#consumed = true
    this.#sent = null
    this.#sentBytes = 0
  }

  /** All that was sent and kept is to be sent again. */
  rewind(): void {
    if (this.#sent === null) return
    this.#queue = [...this.#sent, ...(this.#queue ?? [])]
    this.#queued += this.#sentBytes
    this.#sent = []
    this.#sentBytes = 0
  }

  get size(): number {
    return this.initial.length + (this.#lent?.length ?? 0) + this.#queued
  }

  /** Keeps bytes for later; stops reading at 64 KiB, and goes on once they are sent. */
  queue(bytes: Buffer, start: number, end: number): void {
    this.#later += end - start
    this.#queue ??= []
    this.#queue.push(Buffer.from(bytes.subarray(start, end)))
    this.#queued += end - start
    if (this.#queued >= KEPT && !this.complete) this.pause()
  }

  /** Stops reading it until what is kept was sent. */
  pause(): void {
    this.#paused = true
    this.#caller.pause()
  }

  /** The head is sent: sends what was kept after it. */
  flush(upstream: Upstream): void {
    this.blocked = false
    const queue = this.#queue
    if (queue !== null) {
      for (const bytes of queue) {
        this.#keep(bytes)
        upstream.write(bytes)
      }
      this.#queue = null
      this.#queued = 0
    }
    this.#afterWrite(upstream)
    // Only what was paused for this body: the connection may not be read for what is pipelined behind it.
    if (!this.blocked && this.#paused) this.#resume()
  }

  /** Writes bytes on as they come. */
  write(bytes: Buffer, start: number, end: number, upstream: Upstream | null): void {
    this.#later += end - start
    if (upstream === null) {
      this.#consumed = true
      return
    }
    const part = bytes.subarray(start, end)
    const own = this.#sent !== null || this.#caller.volatile ? Buffer.from(part) : part
    this.#keep(own)
    upstream.write(own)
    this.#afterWrite(upstream)
  }

  onDrain(): void {
    if (!this.blocked) return
    this.blocked = false
    this.#resume()
  }

  #resume(): void {
    this.#paused = false
    this.#caller.resume()
  }

  #keep(bytes: Buffer): void {
    if (this.#sent === null) {
      this.#consumed = true
    } else if (this.#sentBytes + bytes.length > KEPT) {
      this.#sentBytes += bytes.length
      this.forgetSent()
    } else {
      this.#sent.push(bytes)
      this.#sentBytes += bytes.length
    }
  }

  #afterWrite(upstream: Upstream): void {
    this.unsent = upstream.pending > 0
    if (!this.unsent || this.complete) return
    this.blocked = true
    this.pause()
  }
}
