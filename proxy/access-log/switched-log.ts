import { AccessLog, type AccessLogFormat } from './access-log.ts'

export interface AccessLogPlace {
  readonly path: string
  /** Told in words what is wrong with the file; traffic goes on. */
  readonly onTrouble: (problem: string) => void
}

/** The access log as tables want it: on in some format, or off. */
export class SwitchedLog {
  /** Null: off, or there is no place for it. */
  current: AccessLog | null = null
  readonly #place: AccessLogPlace | null
  /** By logs that are closed. */
  #dropped = 0

  constructor(place: AccessLogPlace | null) {
    this.#place = place
  }

  /** Lines that were lost because the file was not written fast enough. */
  get dropped(): number {
    return this.#dropped + (this.current?.dropped ?? 0)
  }

  switchTo(format: AccessLogFormat | null): void {
    if (format === null) void this.close()
    else if (this.current !== null) this.current.format = format
    else if (this.#place !== null) this.current = new AccessLog(this.#place.path, format, this.#place.onTrouble)
  }

  /** Writes what there is and is off. */
  async close(): Promise<void> {
    const last = this.current
    if (last === null) return
    this.current = null
    const before = last.dropped
    this.#dropped += before
    await last.close()
    this.#dropped += last.dropped - before
  }
}
