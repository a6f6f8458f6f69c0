import type { FromAgent, ToAgent } from '../src/contracts/link.ts'
import { errorMessage } from '../src/core/errors.ts'
import { readLog } from './log-reader.ts'

export interface LogStreamsOptions {
  readonly logOf: (key: string) => string | null
  readonly send: (message: FromAgent) => void
  /** Settles when what was sent has been taken: a slow reader slows the reading, not the agent. */
  readonly drained: () => Promise<void>
}

/** Logs being read over the link. */
export class LogStreams {
  readonly #options: LogStreamsOptions
  readonly #open = new Map<string, AbortController>()

  constructor(options: LogStreamsOptions) {
    this.#options = options
  }

  async start({ request, key, tail, follow }: Extract<ToAgent, { type: 'log' }>): Promise<void> {
    const { logOf, send, drained } = this.#options
    const path = logOf(key)
    if (path === null) {
      send({ type: 'log-end', request, error: `this node has no instance ${key}` })
      return
    }
    this.cancel(request)
    const abort = new AbortController()
    const { signal } = abort
    this.#open.set(request, abort)
    let error: string | null = null
    const write = async (text: string): Promise<void> => {
      if (signal.aborted || text === '') return
      send({ type: 'log', request, text })
      await drained()
    }
    try {
      await readLog({ path, tail, follow, signal, write })
    } catch (thrown) {
      error = errorMessage(thrown)
    }
    if (this.#open.get(request) === abort) this.#open.delete(request)
    if (!signal.aborted) send({ type: 'log-end', request, error })
  }

  cancel(request: string): void {
    this.#open.get(request)?.abort()
    this.#open.delete(request)
  }

  /** The link is gone, and who asked with it. */
  cancelAll(): void {
    for (const request of this.#open.keys()) this.cancel(request)
  }
}
