type State = 'head' | 'length' | 'size' | 'chunk' | 'chunk-end' | 'trailers' | 'until-close' | 'done' | 'invalid'

const MAX_LINE = 64 * 1024

/**
 * Reads one HTTP/1.1 answer (RFC 9112) as it arrives and compares its body with the expected one, byte for byte.
 * Strict: whatever is not clearly right makes it `invalid`, since a client that forgives hides faults.
 */
export class ResponseReader {
  readonly #expected: Buffer | undefined
  readonly #headers = new Map<string, string>()
  #state: State = 'head'
  #pending: Buffer = Buffer.alloc(0)
  #left = 0
  #received = 0
  #status = 0
  #differs = false
  #begun = false

  constructor(expected?: Buffer) {
    this.#expected = expected
  }

  get status(): number {
    return this.#status
  }

  /** Some byte of the answer has come. */
  get begun(): boolean {
    return this.#begun
  }

  /** The final head has come. */
  get headed(): boolean {
    return this.#state !== 'head' && this.#status >= 200
  }

  get done(): boolean {
    return this.#state === 'done' || this.#state === 'invalid'
  }

  /** Whole, well framed, and the body is the expected one. */
  get intact(): boolean {
    const whole = this.#expected === undefined || this.#received === this.#expected.length
    return this.#state === 'done' && !this.#differs && whole
  }

  get keepsConnection(): boolean {
    return this.#state === 'done' && this.header('connection').toLowerCase() !== 'close'
  }

  header(name: string): string {
    return this.#headers.get(name) ?? ''
  }

  feed(chunk: Buffer): void {
    this.#begun = true
    let rest = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk])
    this.#pending = Buffer.alloc(0)
    while (rest.length > 0) {
      const used = this.#step(rest)
      if (used === 0) {
        if (rest.length > MAX_LINE) this.#state = 'invalid'
        this.#pending = rest
        return
      }
      rest = rest.subarray(used)
    }
  }

  /** The peer ended the connection. */
  end(): void {
    if (this.#state === 'until-close') this.#state = 'done'
  }

  /** Uses up some of `bytes` and says how many; 0 asks for more. */
  #step(bytes: Buffer): number {
    switch (this.#state) {
      case 'head':
        return this.#upTo(bytes, '\r\n\r\n', text => this.#readHead(text))
      case 'length':
      case 'chunk':
        return this.#body(bytes)
      case 'until-close':
        this.#compare(bytes)
        return bytes.length
      case 'size':
        return this.#upTo(bytes, '\r\n', line => {
          this.#left = /^[0-9a-f]{1,8}$/i.test(line) ? Number.parseInt(line, 16) : -1
          this.#state = this.#left > 0 ? 'chunk' : this.#left === 0 ? 'trailers' : 'invalid'
        })
      case 'chunk-end':
        return this.#upTo(bytes, '\r\n', line => {
          this.#state = line === '' ? 'size' : 'invalid'
        })
      case 'trailers':
        return this.#upTo(bytes, '\r\n', line => {
          if (line === '') this.#state = 'done'
        })
      case 'done':
      case 'invalid':
        // Bytes that nobody asked for.
        this.#state = 'invalid'
        return bytes.length
    }
  }

  #upTo(bytes: Buffer, mark: string, use: (text: string) => void): number {
    const end = bytes.indexOf(mark, 0, 'latin1')
    if (end < 0) return 0
    use(bytes.toString('latin1', 0, end))
    return end + mark.length
  }

  #readHead(text: string): void {
    const [first = '', ...lines] = text.split('\r\n')
    const status = /^HTTP\/1\.1 ([1-5]\d\d)(?: |$)/.exec(first)
    if (status === null) {
      this.#state = 'invalid'
      return
    }
    this.#status = Number(status[1])
    // An interim answer: the final one is still to come.
    if (this.#status < 200 && this.#status !== 101) return
    for (const line of lines) {
      const colon = line.indexOf(':')
      this.#headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim())
    }
    const length = this.#headers.get('content-length')
    if (this.header('transfer-encoding').toLowerCase() === 'chunked') {
      this.#state = length === undefined ? 'size' : 'invalid'
    } else if (this.#status === 204 || this.#status === 304) {
      this.#state = 'done'
    } else if (length === undefined) {
      this.#state = 'until-close'
    } else {
      this.#left = /^\d{1,15}$/.test(length) ? Number(length) : -1
      this.#state = this.#left > 0 ? 'length' : this.#left === 0 ? 'done' : 'invalid'
    }
  }

  #body(bytes: Buffer): number {
    const used = Math.min(this.#left, bytes.length)
    this.#compare(bytes.subarray(0, used))
    this.#left -= used
    if (this.#left === 0) this.#state = this.#state === 'length' ? 'done' : 'chunk-end'
    return used
  }

  #compare(bytes: Buffer): void {
    const at = this.#received
    this.#received += bytes.length
    if (this.#expected === undefined || this.#differs) return
    this.#differs = this.#received > this.#expected.length || bytes.compare(this.#expected, at, this.#received) !== 0
  }
}
