import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import {
  DEFAULT_LIMITS,
  DEFAULT_OPTIONS,
  DEFAULT_POLICY,
  type DataPlaneLimits,
  type Listener,
  type Pool,
  type PoolPolicy,
  type RoutingTable,
  type Target,
} from '../../../src/contracts/routing.ts'
import type { LedgerRow } from '../../../src/contracts/ledger.ts'
import type { AccessLogPlace } from '../../../proxy/access-log/switched-log.ts'
import { DataPlane } from '../../../proxy/worker/data-plane.ts'
import { Listeners } from '../../../proxy/worker/listeners.ts'
import { emptyRow, openOf, sumRows } from '../../../src/model/ledger-row.ts'
import { PATIENCE_MS } from '../../support/until.ts'

export interface Test {
  teardown(fn: () => unknown): void
}

/** A raw-socket instance: what it received, and what it does with it. */
export interface Origin {
  readonly port: number
  /** All bytes received, per connection in order of arrival, as latin1. */
  readonly received: string[]
  readonly sockets: Socket[]
  close(): Promise<void>
}

/** `onText` is called at each read with all that this connection has received since `clear` was last called. */
export async function startOrigin(
  t: Test,
  onText: (text: string, socket: Socket, clear: () => void) => void,
  options: { port?: number; onEnd?: (socket: Socket) => void } = {},
): Promise<Origin> {
  const received: string[] = []
  const sockets: Socket[] = []
  const server = createServer({ allowHalfOpen: true, noDelay: true }, socket => {
    const index = received.push('') - 1
    sockets.push(socket)
    let text = ''
    socket.on('error', () => {})
    socket.on('end', () => (options.onEnd === undefined ? socket.end() : options.onEnd(socket)))
    socket.on('data', chunk => {
      const part = chunk.toString('latin1')
      received[index] += part
      text += part
      onText(text, socket, () => {
        text = ''
      })
    })
  })
  await new Promise<void>(resolve => {
    server.listen(options.port ?? 0, '127.0.0.1', resolve)
  })
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy()
    await new Promise<void>(resolve => {
      server.close(() => resolve())
    })
  }
  t.teardown(close)
  return { port: (server.address() as AddressInfo).port, received, sockets, close }
}

/** An instance that answers each request without a body by `answer`. */
export async function answering(t: Test, answer: string | (() => string)): Promise<Origin> {
  return startOrigin(t, (text, socket, clear) => {
    if (!text.includes('\r\n\r\n')) return
    const requests = text.split('\r\n\r\n').length - 1
    clear()
    for (let n = 0; n < requests; n++) socket.write(typeof answer === 'string' ? answer : answer(), 'latin1')
  })
}

export function ok(body: string, fields = ''): string {
  return `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n${fields}\r\n${body}`
}

export function target(origin: { port: number }, change: Partial<Target> & { name?: string } = {}): Target {
  const { name = 'web_IN_0', ...rest } = change
  return {
    key: `d1/${name}#1.1:${origin.port}`,
    instance: name,
    version: '1.0.0',
    host: '127.0.0.1',
    port: origin.port,
    weight: 1,
    state: 'in',
    ...rest,
  }
}

export function pool(targets: readonly Target[], change: Partial<Pool> = {}): Pool {
  return {
    key: 'd1/web/http',
    service: 'app',
    deployment: 'd1',
    role: 'web',
    endpoint: 'http',
    policy: DEFAULT_POLICY,
    targets,
    expecting: false,
    drainTimeoutMs: 1000,
    ...change,
  }
}

export function listener(change: Partial<Listener> = {}): Listener {
  return {
    key: 'app/production/web/http',
    service: 'app',
    slot: 'production',
    role: 'web',
    endpoint: 'http',
    protocol: 'http',
    tls: null,
    options: DEFAULT_OPTIONS,
    host: '127.0.0.1',
    port: 1,
    hostNames: ['app.localhost'],
    pool: 'd1/web/http',
    reason: null,
    ...change,
  }
}

let n = 0

export function table(
  pools: readonly Pool[],
  change: { listeners?: Listener[]; limits?: Partial<DataPlaneLimits>; n?: number; fabric?: string } = {},
): RoutingTable {
  // A pool's clocks come from the fabric's limits unless its role says otherwise.
  const { limits = {} } = change
  const clocks: Partial<PoolPolicy> = {}
  for (const name of ['connectTimeoutMs', 'responseTimeoutMs', 'idleTimeoutMs'] as const) {
    const value = limits[name]
    if (value !== undefined) Object.assign(clocks, { [name]: value })
  }
  return {
    fabric: change.fabric ?? 'fabric-1',
    revision: { term: 1, n: change.n ?? ++n },
    listeners: change.listeners ?? [listener()],
    pools: Object.fromEntries(pools.map(one => [one.key, { ...one, policy: { ...one.policy, ...clocks } }])),
    certificates: {},
    limits: { ...DEFAULT_LIMITS, ...change.limits },
  }
}

export interface TestPlane {
  readonly plane: DataPlane
  readonly port: number
  readonly drained: () => number
  readonly listen: (address: string) => Promise<number>
  readonly rows: (vip?: string) => LedgerRow
}

/** A data plane in this process, listening as `127.0.0.1:1` of the tables on a free port. */
export async function startPlane(
  t: Test,
  first: RoutingTable,
  address = '127.0.0.1:1',
  accessLogTo: AccessLogPlace | null = null,
): Promise<TestPlane> {
  let drained = 0
  const plane = new DataPlane(() => drained++, 1, accessLogTo)
  const listeners = new Listeners(plane)
  plane.apply(first)
  const port = await listeners.listenPort(address, '127.0.0.1', 0)
  t.teardown(async () => {
    listeners.closeAll()
    await plane.close(0)
  })
  return {
    plane,
    port,
    drained: () => drained,
    listen: async other => listeners.listenPort(other, '127.0.0.1', 0),
    rows: (vip = 'app/production/web/http') => {
      const rows = plane.ledger.snapshot().filter(row => row.vip === vip)
      return { ...sum(rows), vip }
    },
  }
}

function sum(rows: readonly LedgerRow[]): LedgerRow {
  const empty = emptyRow('', '', '')
  return sumRows([[empty], rows.map(row => ({ ...row, vip: '', deployment: '', version: '' }))])[0] ?? empty
}

/** Requests that arrived and have not ended, by the ledger. */
export function open(plane: DataPlane): number {
  return plane.ledger.snapshot().reduce((count, row) => count + openOf(row), 0)
}

export interface RawClient<S extends Socket = Socket> {
  readonly socket: S
  text: string
  ended: boolean
  closed: boolean
  failed: string | null
  send(text: string): void
  /** Resolves when what came in satisfies `test`; fails when it closed or 5 s passed before. */
  until(test: (text: string) => boolean): Promise<string>
  /** All that came in until an answer was whole or the connection was over. */
  answer(): Promise<string>
  /** All that came in until the connection was over. */
  end(): Promise<string>
}

/** A client that writes and reads plain bytes. */
export async function rawClient(t: Test, port: number, first = ''): Promise<RawClient> {
  const client = clientOn(t, connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true }))
  await new Promise(resolve => {
    client.socket.once('connect', resolve)
    // Reset at once: there is nothing to wait for.
    client.socket.once('close', resolve)
  })
  if (first !== '') client.send(first)
  return client
}

/** Keeps what comes in by a socket. */
export function clientOn<S extends Socket>(t: Test, socket: S): RawClient<S> {
  const waiting = new Set<() => void>()
  const client: RawClient<S> = {
    socket,
    text: '',
    ended: false,
    closed: false,
    failed: null,
    send: text => socket.write(text, 'latin1'),
    until: async test => wait(() => test(client.text), true),
    answer: async () => wait(() => isWhole(client.text) || client.ended || client.closed, false),
    end: async () => wait(() => client.ended || client.closed, false),
  }
  async function wait(done: () => boolean, mustBeOpen: boolean): Promise<string> {
    return new Promise((resolve, reject) => {
      const came = (): string => JSON.stringify(client.text.slice(-500))
      const timer = setTimeout(() => finish(new Error(`waited in vain; came in: ${came()}`)), PATIENCE_MS)
      const look = (): void => {
        if (done()) finish()
        else if (mustBeOpen && client.closed) finish(new Error(`closed (${client.failed}) after ${came()}`))
      }
      const finish = (error?: Error): void => {
        clearTimeout(timer)
        waiting.delete(look)
        if (error === undefined) resolve(client.text)
        else reject(error)
      }
      waiting.add(look)
      look()
    })
  }
  const tell = (): void => {
    for (const look of waiting) look()
  }
  socket.on('data', chunk => {
    client.text += chunk.toString('latin1')
    tell()
  })
  socket.on('end', () => {
    client.ended = true
    tell()
  })
  socket.on('error', error => {
    client.failed = error.message
  })
  socket.on('close', () => {
    client.closed = true
    tell()
  })
  t.teardown(() => socket.destroy())
  return client
}

/** One request on a connection of its own, with what came back until the proxy closed or the answer was whole. */
export async function ask(t: Test, port: number, text: string): Promise<string> {
  const client = await rawClient(t, port, text)
  const answer = await client.answer()
  client.socket.destroy()
  return answer
}

/** Is the last answer in `text` (with Content-Length, chunked or no body) whole? */
export function isWhole(text: string): boolean {
  const headEnd = text.indexOf('\r\n\r\n')
  if (headEnd === -1) return false
  if (text.startsWith('HTTP/1.1 1')) return isWhole(text.slice(headEnd + 4))
  const length = /\r\ncontent-length: (\d+)/i.exec(text.slice(0, headEnd))
  if (length !== null) return text.length - headEnd - 4 >= Number(length[1])
  return text.endsWith('0\r\n\r\n')
}

export function statusOf(text: string): number {
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0)
}
