import { spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { LINK_PROTOCOL, type FromProxy, type ProxyHello, type ToProxy } from '../../../src/contracts/link.ts'
import type { RoutingTable } from '../../../src/contracts/routing.ts'
import { jsonLines, type JsonLines } from '../../../src/core/json-lines.ts'
import { tempDir } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { listener } from './support.ts'

const MAIN = fileURLToPath(new URL('../../../proxy/main.js', import.meta.url))
export const GET = 'GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n'
export type Ack = Extract<FromProxy, { type: 'ack' }>

/** What a test gives to register its clean-up with. */
interface Test {
  teardown(fn: () => unknown): void
}

/** A controller that only speaks the link: what it was told, and what it says to whoever connects. */
export interface Controller {
  readonly hellos: ProxyHello[]
  readonly messages: FromProxy[]
  current: RoutingTable | null
  push(table: RoutingTable): void
  acked(table: RoutingTable): Promise<Ack>
  close(): Promise<void>
}

export async function startController(t: Test, run: string, current: RoutingTable | null = null): Promise<Controller> {
  const server = createServer()
  const links = new Set<JsonLines>()
  const say = (link: JsonLines, table: RoutingTable): void => link.send({ type: 'table', table } satisfies ToProxy)
  const controller: Controller = {
    hellos: [],
    messages: [],
    current,
    push: next => {
      controller.current = next
      for (const link of links) say(link, next)
    },
    acked: async wanted =>
      until(`revision ${wanted.revision.n} is acknowledged`, () =>
        controller.messages.findLast(
          (message): message is Ack => message.type === 'ack' && message.revision.n === wanted.revision.n,
        ),
      ),
    close: async () => {
      for (const link of links) link.destroy()
      await new Promise<void>(resolve => {
        server.close(() => resolve())
      })
    },
  }
  server.on('upgrade', (request, socket) => {
    if (request.headers.upgrade !== LINK_PROTOCOL) return
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${LINK_PROTOCOL}\r\n\r\n`)
    const link = jsonLines(socket, {
      onValue: value => {
        const message = value as FromProxy
        controller.messages.push(message)
        if (message.type !== 'hello') return
        controller.hellos.push(message)
        if (controller.current !== null) say(link, controller.current)
      },
      onClose: () => links.delete(link),
    })
    links.add(link)
  })
  await new Promise<void>(resolve => {
    server.listen(join(run, 'controller.sock'), resolve)
  })
  t.teardown(async () => controller.close())
  return controller
}

export interface Proxy {
  readonly child: ChildProcess
  readonly exited: Promise<number | null>
  readonly workers: () => number[]
}

export interface Folders {
  readonly data: string
  readonly run: string
}

export function folders(t: Test): Folders {
  const root = tempDir(t)
  const made = { data: join(root, 'data'), run: join(root, 'run') }
  mkdirSync(made.run)
  return made
}

export type LogEntry = Readonly<Record<string, unknown>>

/** `before` is put in front of the command; `onLog` is given what the holder and its workers log, down to debug. */
export function startProxy(
  t: Test,
  { data, run }: Folders,
  workers = 1,
  before = '',
  onLog: ((entry: LogEntry) => void) | null = null,
): Proxy {
  const args = [MAIN, '--data', data, '--run', run, '--workers', String(workers)]
  const child = spawn('sh', ['-c', `${before}exec "$0" "$@"`, process.execPath, ...args], {
    stdio: ['ignore', 'inherit', onLog === null ? 'inherit' : 'pipe'],
    env: {
      PATH: process.env['PATH'],
      VIPSWAP_LOG: onLog === null ? (process.env['VIPSWAP_LOG'] ?? 'silent') : 'debug',
    },
  })
  if (child.stderr !== null && onLog !== null) {
    // The logger writes one JSON object per line.
    createInterface(child.stderr).on('line', line => onLog(JSON.parse(line) as LogEntry))
  }
  const exited = new Promise<number | null>(resolve => {
    child.on('exit', code => resolve(code))
  })
  const workersOf = (): number[] => {
    const lives = JSON.parse(readFileSync(join(data, 'proxy', 'proxy-0', 'state.json'), 'utf8')) as {
      processes: { pid: number }[]
    }[]
    return (lives.at(-1)?.processes ?? []).slice(1).map(({ pid }) => pid)
  }
  t.teardown(async () => {
    const left = workersOf()
    child.kill('SIGKILL')
    await exited
    for (const pid of left) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // Gone by itself.
      }
    }
  })
  return { child, exited, workers: workersOf }
}

export const free = (n = 0): ReturnType<typeof listener> => listener({ port: 0, key: `app/production/web/http${n}` })

export function portIn(ack: Ack): number {
  const port = ack.listeners[0]?.port
  if (port === null || port === undefined) throw new Error(`not bound: ${JSON.stringify(ack.listeners)}`)
  return port
}

/** Stops a process where it is, as if it hung; resolves when it really stands still. `SIGCONT` lets it go on. */
export async function freeze(pid: number): Promise<void> {
  process.kill(pid, 'SIGSTOP')
  await until(
    'it stands still',
    () => readFileSync(`/proc/${pid}/task/${pid}/stat`, 'utf8').split(') ')[1]?.startsWith('T'),
    { intervalMs: 1 },
  )
}
