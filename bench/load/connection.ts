import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { now } from './now.ts'
import type { Outcome } from './records.ts'
import type { Message } from './requests.ts'
import { ResponseReader } from './response.ts'

/** How one request ended. `sentAt` and `headAt` as in `RequestRecord`. */
export interface Answer {
  readonly outcome: Outcome
  readonly status: number
  readonly version: string
  readonly deployment: string
  readonly instance: string
  readonly sentAt: number
  readonly headAt: number
  readonly doneAt: number
}

export interface Address {
  readonly host: string
  readonly port: number
}

/**
 * One client connection that does one request at a time and never repeats any: whatever happens to a request is its
 * outcome. That is the reason for it, since libraries hide lost connections behind retries.
 */
export class Connection {
  readonly #socket: Socket
  readonly #timeoutMs: number
  readonly #connected: Promise<boolean>
  #open = false
  #lost = false
  #current: { reader: ResponseReader; end: (outcome: Outcome) => void; headAt: number } | undefined

  constructor(address: Address, timeoutMs: number) {
    this.#timeoutMs = timeoutMs
    this.#socket = connect({ host: address.host, port: address.port, noDelay: true })
    this.#socket.setTimeout(timeoutMs)
    this.#connected = new Promise(resolve => {
      this.#socket.on('connect', () => {
        this.#open = true
        resolve(true)
      })
      this.#socket.on('close', () => {
        resolve(false)
        this.#gone()
      })
    })
    this.#socket.on('error', () => this.#socket.destroy())
    this.#socket.on('timeout', () => {
      this.#current?.end('timeout')
      this.#socket.destroy()
    })
    this.#socket.on('end', () => this.#current?.reader.end())
    this.#socket.on('data', chunk => this.#receive(chunk))
  }

  /** Another request may be sent. A connection that the peer has closed while idle is not, by its right. */
  get usable(): boolean {
    return this.#open && !this.#lost && this.#current === undefined
  }

  async request(message: Message): Promise<Answer> {
    const attemptedAt = now()
    if (!(await this.#connected)) return failed(this.#timedOutConnecting(attemptedAt), attemptedAt)
    const reader = new ResponseReader(message.expected)
    let sentAt = now()
    const outcome = await new Promise<Outcome>(resolve => {
      this.#current = { reader, end: resolve, headAt: 0 }
      if (this.#lost) resolve('reset')
      else {
        sentAt = now()
        this.#send(message.parts)
      }
    })
    const headAt = this.#current?.headAt ?? 0
    this.#current = undefined
    const judged = outcome === 'ok' ? judge(reader, message) : outcome
    if (!reader.keepsConnection || judged === 'corrupt') this.close()
    return {
      outcome: judged,
      status: reader.status,
      version: reader.header('x-version'),
      deployment: reader.header('x-deployment'),
      instance: reader.header('x-instance'),
      sentAt,
      headAt,
      doneAt: now(),
    }
  }

  close(): void {
    this.#lost = true
    this.#socket.destroy()
  }

  #send(parts: readonly Buffer[]): void {
    const [first, ...rest] = parts
    if (first === undefined || this.#lost) return
    this.#socket.write(first)
    if (rest.length > 0) setImmediate(() => this.#send(rest))
  }

  #receive(chunk: Buffer): void {
    const current = this.#current
    // Bytes without a question: the next one must not take them for its answer.
    if (current === undefined) return this.close()
    current.reader.feed(chunk)
    if (current.headAt === 0 && current.reader.headed) current.headAt = now()
    if (current.reader.done) current.end('ok')
  }

  #gone(): void {
    this.#lost = true
    const reader = this.#current?.reader
    this.#current?.end(reader?.done ? 'ok' : reader?.begun ? 'short' : 'reset')
  }

  #timedOutConnecting(attemptedAt: number): Outcome {
    return now() - attemptedAt >= this.#timeoutMs ? 'timeout' : 'refused'
  }
}

function judge(reader: ResponseReader, message: Message): Outcome {
  if (reader.headed && reader.status !== 200) return 'status'
  return reader.intact && reader.header('x-nonce') === message.nonce ? 'ok' : 'corrupt'
}

function failed(outcome: Outcome, sentAt: number): Answer {
  return { outcome, status: 0, version: '', deployment: '', instance: '', sentAt, headAt: 0, doneAt: now() }
}
