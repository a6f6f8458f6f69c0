import { once } from 'node:events'
import { WebSocket } from 'ws'
import { until } from '../../test/support/until.ts'

interface Reply {
  readonly id?: number
  readonly result?: unknown
  readonly error?: { readonly message: string }
}

/** Node's own debugging protocol, spoken with a process that runs: its heap and its profile, without a word in its code. */
export class Inspector {
  readonly #socket: WebSocket
  readonly #waiting = new Map<number, (reply: Reply) => void>()
  #calls = 0

  private constructor(socket: WebSocket) {
    this.#socket = socket
    socket.on('message', (data: Buffer) => {
      const reply = JSON.parse(data.toString('utf8')) as Reply
      if (reply.id !== undefined) this.#waiting.get(reply.id)?.(reply)
    })
  }

  /** SIGUSR1 opens the inspector; `errors` must answer the process's stderr, where it says its address. */
  static async open(pid: number, errors: () => string): Promise<Inspector> {
    process.kill(pid, 'SIGUSR1')
    const url = await until('the inspector listens', () => {
      const text = errors()
      if (text.includes('Starting inspector on') && text.includes('failed')) throw new Error(text)
      return /Debugger listening on (ws:\S+)/.exec(text)?.[1]
    })
    const socket = new WebSocket(url, { perMessageDeflate: false, maxPayload: 1 << 30 })
    await once(socket, 'open')
    return new Inspector(socket)
  }

  async call(method: string, params: object = {}): Promise<unknown> {
    const id = ++this.#calls
    const reply = await new Promise<Reply>(resolve => {
      this.#waiting.set(id, resolve)
      this.#socket.send(JSON.stringify({ id, method, params }))
    })
    this.#waiting.delete(id)
    if (reply.error !== undefined) throw new Error(`${method}: ${reply.error.message}`)
    return reply.result
  }

  /** Bytes that are really in use: after a full collection. */
  async heapUsed(): Promise<number> {
    await this.call('HeapProfiler.collectGarbage')
    const usage = (await this.call('Runtime.getHeapUsage')) as { usedSize: number }
    return usage.usedSize
  }

  close(): void {
    this.#socket.terminate()
  }
}
