import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { Connection } from '../../../../bench/load/connection.ts'
import type { Vip } from '../../../../bench/load/plan.ts'
import type { Message } from '../../../../bench/load/requests.ts'
import type { RequestLine } from '../history/line.ts'
import { timeNow, type Recorder } from '../history/recorder.ts'

export interface ClientsOptions {
  readonly vips: readonly Vip[]
  /** Of each VIP: clients that keep their connection and send a GET, then a POST, and so on. Default 4. */
  readonly mixed?: number
  /** GETs that an instance takes 150 ms for. Default 1. */
  readonly slowGets?: number
  /** POSTs that an instance takes 150 ms for. Default 1. */
  readonly slowPosts?: number
  /** A new connection for each GET. Default 1. */
  readonly oneShot?: number
  /** A new connection for each POST. Default 0. */
  readonly oneShotPosts?: number
  /** Between two requests of a client. Default 10. */
  readonly thinkMs?: number
  /** Nothing at all for so long is a time-out. Default 20 s. */
  readonly timeoutMs?: number
  /** First part of each nonce. Default: a random one. */
  readonly name?: string
  /** False: requests are recorded only, not kept in `requests`, so that hours of them need no memory. */
  readonly keep?: boolean
}

export interface Clients {
  /** Every request so far, in the order of their ends. */
  readonly requests: readonly RequestLine[]
  /** How many so far, and how many of them were answered 200. */
  made(): number
  answered(): number
  /** Ends the clients after what they have begun. */
  stop(): Promise<readonly RequestLine[]>
}

interface Manner {
  readonly methods: readonly ('GET' | 'POST')[]
  readonly target: string
  readonly oneShot: boolean
}

const SLOW_MS = 150
const BODY = randomBytes(700)
let batches = 0

/** Starts clients that never repeat a request; each answer is checked byte for byte, and each request is recorded. */
export function startClients(recorder: Recorder, options: ClientsOptions): Clients {
  const { thinkMs = 10, timeoutMs = 20_000 } = options
  batches += 1
  const name = options.name ?? `c${process.pid}-${batches}`
  const requests: RequestLine[] = []
  let ok = 0
  let done = 0
  let count = 0
  let stopping = false

  const one = async (vip: Vip, manner: Manner): Promise<void> => {
    let connection: Connection | undefined
    for (let n = 0; !stopping; n += 1) {
      const method = manner.methods[n % manner.methods.length] ?? 'GET'
      count += 1
      const nonce = `${name}-${count}`
      if (!connection?.usable) connection = new Connection(vip, timeoutMs)
      const start = timeNow()
      const answer = await connection.request(messageOf(vip, method, manner, nonce))
      const offset = timeNow() - answer.doneAt
      if (manner.oneShot) connection.close()
      const line: RequestLine = {
        type: 'request',
        client: name,
        vip: vip.name,
        method,
        nonce,
        start,
        head: answer.headAt === 0 ? null : answer.headAt + offset,
        end: answer.doneAt + offset,
        outcome: answer.outcome,
        status: answer.status,
        deployment: answer.deployment,
        instance: answer.instance,
        version: answer.version,
      }
      if (line.outcome === 'ok') ok += 1
      done += 1
      if (options.keep !== false) requests.push(line)
      recorder.add(line)
      // A refused connection must not become a busy loop; and clients should not march in step.
      await delay(Math.max(thinkMs, answer.outcome === 'refused' ? 5 : 0) * (0.5 + Math.random()))
    }
    connection?.close()
  }
  const manners: [number, Manner][] = [
    [options.mixed ?? 4, { methods: ['GET', 'POST'], target: '/', oneShot: false }],
    [options.slowGets ?? 1, { methods: ['GET'], target: `/slow?ms=${SLOW_MS}`, oneShot: false }],
    [options.slowPosts ?? 1, { methods: ['POST'], target: `/slow?ms=${SLOW_MS}`, oneShot: false }],
    [options.oneShot ?? 1, { methods: ['GET'], target: '/', oneShot: true }],
    [options.oneShotPosts ?? 0, { methods: ['POST'], target: '/', oneShot: true }],
  ]
  const running = options.vips.flatMap(vip =>
    manners.flatMap(([clients, manner]) => Array.from({ length: clients }, async () => one(vip, manner))),
  )
  return {
    requests,
    made: () => done,
    answered: () => ok,
    async stop() {
      stopping = true
      await Promise.all(running)
      return requests
    },
  }
}

function messageOf(vip: Vip, method: 'GET' | 'POST', { target, oneShot }: Manner, nonce: string): Message {
  const fields = `host: ${vip.host}:${vip.port}\r\nx-nonce: ${nonce}\r\n${oneShot ? 'connection: close\r\n' : ''}`
  const head = `${method} ${target} HTTP/1.1\r\n${fields}`
  if (method === 'GET') return { parts: [Buffer.from(`${head}\r\n`)], expected: undefined, nonce }
  const bytes = Buffer.concat([Buffer.from(`${head}content-length: ${BODY.length}\r\n\r\n`), BODY])
  return { parts: [bytes], expected: BODY, nonce }
}
