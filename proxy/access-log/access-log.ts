import '../http1/octets.ts'
import type { DataPlaneLimits } from '../../src/contracts/routing.ts'
import { Peer } from '../connections/peer.ts'
import { commonLine } from './common-format.ts'
import { endingOf } from './endings.ts'
import type { AccessEntry } from './entry.ts'
import { JsonFormat } from './json-format.ts'
import { LogClock } from './log-clock.ts'
import { LogFile } from './log-file.ts'

export type AccessLogFormat = NonNullable<DataPlaneLimits['accessLog']>

/** Lines are handed to the file in blocks of this many bytes, or when they are so old. */
const BLOCK = 256 * 1024
/** The longest line: every text in it is bounded, and an octet becomes five at most. */
const LONGEST = 24 * 1024
const FLUSH_MS = 100
/** How often it is seen whether the file was renamed. */
const LOOK_MS = 1000
/** Of a request that never became one. */
const REQUEST_LINE = /^([!-~]{1,32}) ([!-~]+) (HTTP\/\d\.\d)$/
const NOWHERE = new Peer({ address: '', port: 0, localAddress: '', localPort: 0 }, null)

/** One line per request, written in the background to a file that several workers may share. */
export class AccessLog {
  format: AccessLogFormat
  readonly #file: LogFile
  readonly #clock = new LogClock()
  readonly #json = new JsonFormat()
  readonly #timers: readonly NodeJS.Timeout[]
  #block = Buffer.allocUnsafeSlow(BLOCK)
  #used = 0
  #lines = 0

  constructor(path: string, format: AccessLogFormat, onTrouble: (problem: string) => void) {
    this.format = format
    this.#file = new LogFile(path, onTrouble)
    this.#timers = [setInterval(() => this.#flush(), FLUSH_MS), setInterval(() => this.#file.look(), LOOK_MS)]
    for (const timer of this.#timers) timer.unref()
  }

  /** Lines that were lost because the file was not written fast enough. */
  get dropped(): number {
    return this.#file.dropped
  }

  write(entry: AccessEntry): void {
    const now = Date.now()
    const line =
      this.format === 'json' ? this.#json.line(entry, this.#clock.iso(now)) : commonLine(entry, this.#clock.common(now))
    // At once: a long chain of strings put together later is cold by then, and costs three times as much.
    this.#used += this.#block.latin1Write(line, this.#used)
    this.#lines++
    if (this.#used > BLOCK - LONGEST) this.#flush()
  }

  /** A request that never became one: `text` is what came of its head; `status` 0: the client left before its end. */
  writeUnparsed(
    text: string,
    status: number,
    about: { vip: string; service: string; slot: AccessEntry['slot']; peer: Peer; durationMs: number },
  ): void {
    const lineEnd = text.indexOf('\r\n')
    const line = lineEnd === -1 ? text : text.slice(0, lineEnd)
    const [, method = '', target = line, protocol = ''] = REQUEST_LINE.exec(line) ?? []
    const outcome = status === 0 ? 'client-gone' : 'refused'
    this.write({
      ...NOTHING,
      ...about,
      protocol,
      method,
      target,
      status,
      outcome,
      ending: endingOf(outcome, 'head', status),
    })
  }

  /** Writes what there is, for half a second at most. */
  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer)
    this.#flush()
    await this.#file.close()
  }

  #flush(): void {
    if (this.#lines === 0 || (!this.#file.ready && this.#used <= BLOCK - LONGEST)) return
    const bytes = this.#block.subarray(0, this.#used)
    // The file keeps what it is given until it is written.
    if (this.#used < BLOCK / 4) this.#file.write(Buffer.from(bytes), this.#lines)
    else {
      this.#file.write(bytes, this.#lines)
      this.#block = Buffer.allocUnsafeSlow(BLOCK)
    }
    this.#used = 0
    this.#lines = 0
  }
}

const NOTHING: AccessEntry = {
  vip: '',
  service: '',
  slot: null,
  peer: NOWHERE,
  protocol: '',
  method: '',
  host: '',
  target: '',
  fields: '',
  forwardedFor: null,
  status: 0,
  outcome: 'refused',
  ending: '',
  bytesIn: 0,
  bytesOut: 0,
  durationMs: 0,
  firstByteMs: null,
  upstreamMs: null,
  heldMs: 0,
  replays: 0,
  instance: null,
  requestId: '',
}
