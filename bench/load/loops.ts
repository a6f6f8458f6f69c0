import { setTimeout as delay } from 'node:timers/promises'
import { Connection } from './connection.ts'
import { now } from './now.ts'
import type { HttpKind, Vip } from './plan.ts'
import type { Loop, Records } from './records.ts'
import { createMessage } from './requests.ts'

/** A running part of a load. `stop` lets what has begun come to its end. */
export interface Running {
  stop(): Promise<void>
}

interface Common {
  readonly vip: Vip
  readonly records: Records
  readonly timeoutMs: number
}

/** `connections` clients, each with one request at a time. */
export function closedLoop(
  options: Common & { kinds: readonly HttpKind[]; connections: number; thinkMs: number; oneShot: boolean },
): Running {
  let stopping = false
  const client = async (offset: number): Promise<void> => {
    let connection: Connection | undefined
    for (let n = offset; !stopping; n += 1) {
      const startAt = now()
      if (!connection?.usable) connection = new Connection(options.vip, options.timeoutMs)
      await perform(options, kindAt(options.kinds, n), options.oneShot ? 'one-shot' : 'keep-alive', connection, startAt)
      if (options.oneShot) connection.close()
      // Spread, so that clients do not march in step.
      if (options.thinkMs > 0) await delay(options.thinkMs * (0.5 + Math.random()))
    }
    connection?.close()
  }
  const clients = Array.from({ length: options.connections }, async (_, offset) => client(offset))
  return {
    async stop() {
      stopping = true
      await Promise.all(clients)
    },
  }
}

/** Begins a request each time one falls due, on an idle connection or a new one; late ones are not left out. */
export function openLoop(options: Common & { kinds: readonly HttpKind[]; perSecond: number }): Running {
  const idle: Connection[] = []
  const busy = new Set<Promise<void>>()
  const beganAt = now()
  let count = 0
  const one = async (startAt: number, kind: HttpKind): Promise<void> => {
    let connection = idle.pop()
    while (connection && !connection.usable) connection = idle.pop()
    connection ??= new Connection(options.vip, options.timeoutMs)
    await perform(options, kind, 'open', connection, startAt)
    if (connection.usable) idle.push(connection)
  }
  const timer = setInterval(() => {
    for (;;) {
      const dueAt = beganAt + (count * 1000) / options.perSecond
      if (dueAt > now()) return
      const request = one(dueAt, kindAt(options.kinds, count))
      busy.add(request)
      void request.finally(() => busy.delete(request))
      count += 1
    }
  }, 1)
  return {
    async stop() {
      clearInterval(timer)
      await Promise.all(busy)
      for (const connection of idle) connection.close()
    },
  }
}

async function perform(
  { vip, records }: Common,
  kind: HttpKind,
  loop: Loop,
  connection: Connection,
  startAt: number,
): Promise<void> {
  const message = createMessage(kind, `${vip.host}:${vip.port}`, loop === 'one-shot')
  const answer = await connection.request(message)
  records.add({ vip: vip.name, kind, loop, startAt, ...answer })
}

function kindAt(kinds: readonly HttpKind[], index: number): HttpKind {
  return kinds[index % kinds.length] ?? 'get'
}
