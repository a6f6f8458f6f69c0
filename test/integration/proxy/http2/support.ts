import {
  connect,
  createServer,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type Http2Server,
  type OutgoingHttpHeaders,
  type ServerHttp2Session,
} from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import {
  DEFAULT_OPTIONS,
  DEFAULT_POLICY,
  type Listener,
  type Pool,
  type Target,
} from '../../../../src/contracts/routing.ts'
import { listener, pool, type Test } from '../support.ts'

/** An http listener that takes HTTP/2 by prior knowledge. */
export function h2Listener(change: Partial<Listener> = {}): Listener {
  return listener({ ...change, options: { ...DEFAULT_OPTIONS, http2: true, ...change.options } })
}

/** A pool whose instances speak HTTP/2. */
export function h2Pool(targets: readonly Target[], change: Partial<Pool> = {}): Pool {
  return pool(targets, { ...change, policy: { ...DEFAULT_POLICY, backend: 'h2c', ...change.policy } })
}

export interface Http2Origin {
  readonly port: number
  readonly server: Http2Server
  readonly sessions: ServerHttp2Session[]
  readonly sockets: Socket[]
  close(): Promise<void>
}

/** An instance speaking HTTP/2 on a free port; what it does is up to `server`'s listeners. */
export async function startHttp2Origin(
  t: Test,
  prepare: (server: Http2Server) => void,
  settings: { maxConcurrentStreams?: number } = {},
): Promise<Http2Origin> {
  const server = createServer({ settings })
  const sessions: ServerHttp2Session[] = []
  const sockets: Socket[] = []
  server.on('session', session => {
    sessions.push(session)
    session.on('error', () => {})
  })
  server.on('connection', (socket: Socket) => sockets.push(socket))
  server.on('sessionError', () => {})
  prepare(server)
  await new Promise<void>(resolve => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const close = async (): Promise<void> => {
    for (const session of sessions) session.destroy()
    for (const socket of sockets) socket.destroy()
    await new Promise<void>(resolve => {
      server.close(() => resolve())
    })
  }
  t.teardown(close)
  return { port: (server.address() as AddressInfo).port, server, sessions, sockets, close }
}

/** A client's session with the plane at `port`. */
export function h2Client(t: Test, port: number): ClientHttp2Session {
  const session = connect(`http://127.0.0.1:${port}`)
  session.on('error', () => {})
  t.teardown(() => session.destroy())
  return session
}

export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
  readonly trailers: Readonly<Record<string, string | string[] | undefined>>
  readonly interim: readonly number[]
  /** 0 if the stream ended in good order. */
  readonly code: number
}

/** One request on a session; resolves when its stream is closed. */
export async function fetchOn(
  session: ClientHttp2Session,
  fields: OutgoingHttpHeaders = {},
  send?: (stream: ClientHttp2Stream) => void,
): Promise<Reply> {
  return new Promise(resolve => {
    const stream = session.request(
      { ':path': '/', ':authority': 'app.localhost', ...fields },
      { endStream: send === undefined },
    )
    let status = 0
    let headers: Reply['headers'] = {}
    let trailers: Reply['trailers'] = {}
    const interim: number[] = []
    const chunks: Buffer[] = []
    stream.on('headers', fieldsOfInterim => interim.push(Number(fieldsOfInterim[':status'])))
    stream.on('response', answer => {
      status = Number(answer[':status'])
      headers = { ...answer }
    })
    stream.on('trailers', last => {
      trailers = { ...last }
    })
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('error', () => {})
    stream.on('close', () =>
      resolve({
        status,
        headers,
        body: Buffer.concat(chunks).toString('latin1'),
        trailers,
        interim,
        code: stream.rstCode ?? 0,
      }),
    )
    send?.(stream)
  })
}
