import { close, constants, fstat, open, stat, type Stats } from 'node:fs'
import sonicBoom from 'sonic-boom'
import { errorMessage } from '../../src/core/errors.ts'

// CommonJS, without names that Node could see.
const { SonicBoom } = sonicBoom
type Stream = InstanceType<typeof SonicBoom>

/** Bytes that may wait for a slow disk; beyond that lines are dropped. */
const MAX_WAITING = 16 * 1024 * 1024
const MAX_WRITE = 256 * 1024
/** How long the last lines get when the process ends. */
const CLOSE_MS = 500
/** The system's administrators' group may read it. */
const MODE = 0o640
/** Each write goes to the end, also after the file was truncated or by several workers; a FIFO without a reader is no reason to wait. */
const FLAGS = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK

/**
 * A file that lines are appended to in the background. It never makes anybody wait: what the disk does not take in time is
 * dropped and counted. Once renamed or removed it is begun anew (`look`), so whoever rotates it need tell nobody.
 */
export class LogFile {
  /** Lines that were not written. */
  dropped = 0
  readonly #path: string
  readonly #maxWaiting: number
  readonly #onTrouble: (problem: string) => void
  #stream: Stream | null = null
  #identity: { dev: number; ino: number } | null = null
  #opening = false
  #closed = false
  /** The last write was not taken. */
  #refused = false
  #dropping = false
  #problem = ''

  /** `onTrouble` is told, in words, that it cannot be opened or written, or that lines begin to be dropped. */
  constructor(path: string, onTrouble: (problem: string) => void, maxWaiting = MAX_WAITING) {
    this.#maxWaiting = maxWaiting
    this.#path = path
    // The same trouble at every write is told once.
    this.#onTrouble = problem => {
      if (problem !== this.#problem) onTrouble(problem)
      this.#problem = problem
    }
    this.#open()
  }

  /** It is open: `write` gets somewhere. */
  get ready(): boolean {
    return this.#stream !== null
  }

  /** Appends `bytes`, which hold `lines` lines and are the file's from now on. */
  write(bytes: Buffer, lines: number): void {
    this.#refused = this.#stream === null
    // In this mode it takes buffers; its types know only of strings.
    this.#stream?.write(bytes as unknown as string)
    if (this.#refused) {
      this.dropped += lines
      if (!this.#dropping) this.#onTrouble('lines are dropped: the file is not written fast enough')
    }
    this.#dropping = this.#refused
  }

  /** To be called every second or so: opens the file again if it is not the one of its name any more. */
  look(): void {
    if (this.#opening || this.#closed) return
    stat(this.#path, (_error, found?: Stats) => {
      const same = found !== undefined && found.dev === this.#identity?.dev && found.ino === this.#identity.ino
      if (!same && !this.#opening && !this.#closed) this.#open()
    })
  }

  /** Writes what waits, for half a second at most, and closes the file. */
  async close(): Promise<void> {
    this.#closed = true
    const stream = this.#stream
    this.#stream = null
    if (stream === null) return
    await new Promise<void>(resolve => {
      const timer = setTimeout(() => {
        stream.destroy()
        resolve()
      }, CLOSE_MS)
      stream.once('close', () => {
        clearTimeout(timer)
        resolve()
      })
      stream.end()
    })
  }

  #open(): void {
    this.#opening = true
    open(this.#path, FLAGS, MODE, (error, fd) => {
      if (error !== null) {
        this.#opening = false
        this.#onTrouble(errorMessage(error))
        return
      }
      fstat(fd, (failure, found?: Stats) => {
        this.#opening = false
        if (failure !== null || found === undefined || this.#closed) close(fd, () => {})
        else this.#begin(fd, found)
      })
    })
  }

  #begin(fd: number, { dev, ino }: Stats): void {
    const stream = new SonicBoom({
      fd,
      sync: false,
      maxLength: this.#maxWaiting,
      maxWrite: MAX_WRITE,
      contentMode: 'buffer',
    })
    stream.on('error', (error: Error) => {
      // What it could not write it tries again with the next lines, unless it has been replaced.
      if (this.#stream === stream) this.#onTrouble(errorMessage(error))
      else stream.destroy()
    })
    stream.on('drop', () => {
      this.#refused = true
    })
    const before = this.#stream
    this.#stream = stream
    this.#identity = { dev, ino }
    this.#problem = ''
    before?.end()
  }
}
