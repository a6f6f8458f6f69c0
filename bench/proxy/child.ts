import { spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { descendants } from '../system/processes.ts'
import { until } from '../../test/support/until.ts'

const KEPT = 4096
const STOP_MS = 5000
const running = new Set<Child>()

/** A process of the bench: one that is a peer, the instance or a client. Its stdin stays open as long as this process lives. */
export class Child {
  readonly exited: Promise<number | null>
  /** The end of what it wrote to stderr. */
  errors = ''
  readonly #process: ChildProcess
  readonly #name: string
  readonly #lines: string[] = []
  #over = false

  constructor(
    name: string,
    [command, args]: readonly [string, readonly string[]],
    env: NodeJS.ProcessEnv = process.env,
  ) {
    this.#name = name
    this.#process = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], env })
    this.#process.stdin?.on('error', () => {})
    this.#process.stderr?.on('data', chunk => {
      this.errors = (this.errors + String(chunk)).slice(-KEPT)
    })
    if (this.#process.stdout !== null) createInterface(this.#process.stdout).on('line', line => this.#lines.push(line))
    this.exited = new Promise(resolve => {
      this.#process.on('error', error => {
        this.errors += error.message
        this.#end(resolve, null)
      })
      this.#process.on('exit', code => this.#end(resolve, code))
    })
    running.add(this)
  }

  get pid(): number {
    return this.#process.pid ?? 0
  }

  get over(): boolean {
    return this.#over
  }

  /** Itself and all that came from it. */
  pids(): number[] {
    return [this.pid, ...descendants(this.pid).map(({ pid }) => pid)]
  }

  /** Waits for a line of stdout and answers the pattern's first group. */
  async line(pattern: RegExp): Promise<string> {
    return this.until(`says ${pattern}`, () => {
      for (const line of this.#lines) {
        const found = pattern.exec(line)
        if (found) return found[1] ?? line
      }
      return null
    })
  }

  /** Waits for something this process is to do; fails at once if it ends before. */
  async until<T>(what: string, probe: () => T | Promise<T>, timeoutMs = 10_000): Promise<NonNullable<T>> {
    const found = await until(
      `${this.#name} ${what}`,
      async () => {
        const value = await probe()
        return value ? { value } : this.#over ? { value: null } : null
      },
      { timeoutMs },
    )
    if (found.value) return found.value
    throw new Error(`${this.#name} has ended: ${this.errors.trim()}`)
  }

  async stop(): Promise<void> {
    if (this.#over) return
    this.#process.stdin?.end()
    this.#process.kill('SIGTERM')
    const timer = setTimeout(() => this.kill(), STOP_MS)
    await this.exited
    clearTimeout(timer)
  }

  /** With all that came from it. */
  kill(): void {
    if (this.#over) return
    for (const pid of this.pids().toReversed()) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // Gone by itself.
      }
    }
  }

  #end(resolve: (code: number | null) => void, code: number | null): void {
    this.#over = true
    running.delete(this)
    resolve(code)
  }
}

/** Nothing of the bench outlives it, however it ends. */
export function killAll(): void {
  for (const child of running) child.kill()
}
