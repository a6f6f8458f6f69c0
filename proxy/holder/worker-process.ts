import { fork, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { PlaneReadings } from '../../src/contracts/plane-metrics.ts'
import type { LedgerRow } from '../../src/contracts/ledger.ts'
import { Sending } from '../connections/sending.ts'
import { LedgerCopy } from '../ledger/ledger-copy.ts'
import type { FromWorker, ToWorker, WorkerStatus } from '../worker/protocol.ts'

// Compiled files sit beside each other as the sources do.
const MAIN = fileURLToPath(new URL(`../worker/main.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url))
const PASSED_ON = ['PATH', 'HOME', 'TMPDIR', 'LANG', 'VIPSWAP_LOG']

export interface WorkerEvents {
  onReady(worker: WorkerProcess): void
  onMessage(worker: WorkerProcess, message: FromWorker): void
  /** A connection for the successor. */
  onMoved(address: string, handle: unknown): void
  /** Counts that the worker keeps no more. */
  onForgotten(rows: readonly LedgerRow[]): void
  onExit(worker: WorkerProcess, code: number | null, signal: NodeJS.Signals | null): void
}

/** One worker process as the holder sees it. */
export class WorkerProcess {
  readonly startedAt = performance.now()
  inFlight: Readonly<Record<string, number>> = {}
  readonly ledger = new LedgerCopy()
  readings: PlaneReadings = {}
  /** It has the current table and all listeners. */
  serving = false
  /** Handles it was given to listen on, by address. */
  readonly listening = new Map<string, unknown>()
  /** For how long it held what arrived at the last change in two levels, in milliseconds. */
  heldMs = 0
  gone = false
  /** Resolves once it has ended and all that it said was heard. */
  readonly silent: Promise<void>
  readonly #events: WorkerEvents
  readonly #child: ChildProcess
  readonly #waiting = new Map<string, () => void>()
  readonly #sending: Sending<ToWorker>
  #syncs = 0

  /** `workers`: how many there are to be; `accessLog`: the file its lines go to when a table wants them. */
  constructor(events: WorkerEvents, workers: number, accessLog: string, execPath = process.execPath) {
    this.#events = events
    const env: NodeJS.ProcessEnv = {}
    for (const name of PASSED_ON) if (process.env[name] !== undefined) env[name] = process.env[name]
    this.#child = fork(MAIN, [String(workers), accessLog], {
      execPath,
      execArgv: [],
      env,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    this.#sending = new Sending(this.#child)
    this.#child.on('message', (message: FromWorker, handle: unknown) => {
      if (message.type === 'synced') this.#settle(`sync ${message.id}`, message.status)
      else if (message.type === 'status') this.#settle(null, message.status)
      else if (message.type === 'metrics') this.readings = message.readings
      else if (message.type === 'prepared') this.#settle(`prepared ${message.attempt}`, null)
      else if (message.type === 'released') this.heldMs = message.heldMs
      else if (message.type === 'ready') events.onReady(this)
      if (message.type === 'moved') events.onMoved(message.address, handle)
      else events.onMessage(this, message)
    })
    const ended = (code: number | null, signal: NodeJS.Signals | null): void => {
      if (this.gone) return
      this.gone = true
      for (const resolve of this.#waiting.values()) resolve()
      this.#waiting.clear()
      events.onExit(this, code, signal)
    }
    // One that could not be started (no memory, no process left) has no exit of its own.
    this.#child.on('error', () => {
      if (this.#child.pid === undefined) ended(null, null)
    })
    this.#child.on('exit', ended)
    this.silent = new Promise(resolve => {
      // After its exit, and after the channel's end; 'disconnect' does not come while handles wait to be sent.
      this.#child.on('close', () => {
        this.#sending.lost()
        resolve()
      })
      if (this.#child.pid === undefined) resolve()
    })
  }

  /** Null if it could not be started. */
  get pid(): number | null {
    return this.#child.pid ?? null
  }

  /** Nothing of it reaches a worker that is gone. */
  send(message: ToWorker, handle?: unknown): void {
    // A native TCP handle may be sent as a socket may; only the types do not know.
    if (!this.gone && this.#child.connected) this.#child.send(message, handle as undefined, {}, () => {})
  }

  /** A client's connection; it is this process's own no more. */
  give(address: string, handle: unknown): void {
    this.#sending.give({ type: 'connection', address }, handle)
  }

  /** No connection comes after those that were given. */
  async bye(): Promise<void> {
    await this.#sending.none()
    this.send({ type: 'bye' })
  }

  /** Resolves when everything sent so far is done there, or the worker is gone. */
  async sync(): Promise<void> {
    const id = ++this.#syncs
    const done = this.#wait(`sync ${id}`)
    this.send({ type: 'sync', id })
    await done
  }

  /** Resolves when the worker holds back what arrives, for the `prepare` of this number, or is gone. */
  async prepared(attempt: number): Promise<void> {
    await this.#wait(`prepared ${attempt}`)
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }

  async #wait(what: string): Promise<void> {
    if (this.gone) return
    await new Promise<void>(resolve => {
      this.#waiting.set(what, resolve)
    })
  }

  #settle(what: string | null, status: WorkerStatus | null): void {
    if (status !== null) {
      this.inFlight = status.inFlight
      const forgotten = this.ledger.hear(status.ledger)
      if (forgotten.length > 0) this.#events.onForgotten(forgotten)
    }
    if (what === null) return
    this.#waiting.get(what)?.()
    this.#waiting.delete(what)
  }
}
