import { setTimeout as delay } from 'node:timers/promises'
import { WebSocket } from 'ws'
import type { Running } from './loops.ts'
import { now } from './now.ts'
import type { Vip } from './plan.ts'
import type { Outcome, Records } from './records.ts'

/** The end of a WebSocket that the client did not end. 1006 means that no close frame came: a bare reset. */
export interface WebSocketClose {
  readonly vip: string
  readonly code: number
  readonly at: number
  readonly deployment: string
  /** Messages sent for which no echo came. */
  readonly unanswered: number
}

export interface WebSocketCounts {
  sent: number
  echoed: number
  /** An echo that is not the message. */
  corrupt: number
  readonly closes: WebSocketClose[]
}

export function createWebSocketCounts(): WebSocketCounts {
  return { sent: 0, echoed: 0, corrupt: 0, closes: [] }
}

/**
 * Keeps `connections` WebSockets busy with messages that must come back unchanged and in order. A closed one is opened
 * again, as a new connection; each opening is a record of kind `ws`.
 */
export function webSocketLoop(options: {
  vip: Vip
  connections: number
  intervalMs: number
  timeoutMs: number
  records: Records
  counts: WebSocketCounts
}): Running {
  const { vip, counts, records } = options
  let stopping = false
  const live = new Set<WebSocket>()
  const client = async (): Promise<void> => {
    while (!stopping) {
      const startAt = now()
      const socket = new WebSocket(`ws://${vip.host}:${vip.port}/socket`, {
        perMessageDeflate: false,
        handshakeTimeout: options.timeoutMs,
      })
      const record = (outcome: Outcome, status: number, headers: Headers = {}): void => {
        const [version, deployment] = [header(headers, 'x-version'), header(headers, 'x-deployment')]
        const headAt = status === 0 ? 0 : now()
        const times = { startAt, sentAt: startAt, headAt, doneAt: now() }
        records.add({ vip: vip.name, kind: 'ws', loop: 'keep-alive', outcome, status, version, deployment, ...times })
      }
      let deployment = ''
      let opened = false
      let rejected = false
      const sent: string[] = []
      const timer = setInterval(() => {
        if (socket.readyState !== WebSocket.OPEN) return
        sent.push(`message ${counts.sent} ${'m'.repeat(counts.sent % 300)}`)
        socket.send(sent.at(-1) ?? '')
        counts.sent += 1
      }, options.intervalMs)
      socket.on('upgrade', response => {
        opened = true
        deployment = header(response.headers, 'x-deployment')
        record('ok', 101, response.headers)
      })
      socket.on('open', () => {
        if (stopping) socket.close(1000)
      })
      socket.on('unexpected-response', (request, response) => {
        rejected = true
        record('status', response.statusCode ?? 0, response.headers)
        request.destroy()
        socket.terminate()
      })
      socket.on('message', data => {
        if (Buffer.isBuffer(data) && data.toString() === sent.shift()) counts.echoed += 1
        else counts.corrupt += 1
      })
      socket.on('error', error => {
        const timedOut = error.message.includes('timed out')
        if (!opened && !rejected) record(timedOut ? 'timeout' : 'refused', 0)
        rejected = true
      })
      live.add(socket)
      const code = await new Promise<number>(resolve => {
        socket.on('close', resolve)
      })
      live.delete(socket)
      clearInterval(timer)
      if (opened && !stopping)
        counts.closes.push({ vip: vip.name, code, at: now(), deployment, unanswered: sent.length })
      if (!opened && !stopping) await delay(20)
    }
  }
  const clients = Array.from({ length: options.connections }, client)
  return {
    async stop() {
      stopping = true
      // One that is still opening is not cut off: whether it opens belongs to the result.
      for (const socket of live) if (socket.readyState === WebSocket.OPEN) socket.close(1000)
      await Promise.all(clients)
    },
  }
}

type Headers = Readonly<Record<string, string | string[] | undefined>>

function header(headers: Headers, name: string): string {
  const value = headers[name]
  return typeof value === 'string' ? value : ''
}
