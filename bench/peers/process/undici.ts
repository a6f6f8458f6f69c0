import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { Pool, type Dispatcher } from 'undici'
import { ORIGIN_PORT, serve } from './serve.ts'

const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'te', 'transfer-encoding', 'upgrade', 'proxy-connection'])

const pool = new Pool(`http://127.0.0.1:${ORIGIN_PORT}`, { connections: 512, pipelining: 1 })

/** Writes one answer on to the client as it comes; the callbacks undici calls itself, since the newer ones are wrapped. */
class Forward implements Dispatcher.DispatchHandler {
  readonly #response: ServerResponse

  constructor(response: ServerResponse) {
    this.#response = response
  }

  onConnect(abort: (error?: Error) => void): void {
    this.#response.on('close', () => {
      if (!this.#response.writableFinished) abort()
    })
  }

  onHeaders(status: number, raw: Buffer[], resume: () => void): boolean {
    const headers: string[] = []
    for (let index = 0; index + 1 < raw.length; index += 2) {
      const name = raw[index]?.toString('latin1') ?? ''
      if (!HOP_BY_HOP.has(name.toLowerCase())) headers.push(name, raw[index + 1]?.toString('latin1') ?? '')
    }
    this.#response.writeHead(status, headers)
    this.#response.on('drain', resume)
    return true
  }

  onData(chunk: Buffer): boolean {
    return this.#response.write(chunk)
  }

  onComplete(): void {
    this.#response.end()
  }

  onError(): void {
    this.#response.destroy()
  }
}

function forwarded(request: IncomingMessage): string[] {
  const { rawHeaders, headers, socket } = request
  const kept: string[] = []
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? ''
    if (!HOP_BY_HOP.has(name.toLowerCase())) kept.push(name, rawHeaders[index + 1] ?? '')
  }
  const id = randomUUID()
  kept.push('X-Forwarded-For', socket.remoteAddress ?? '', 'X-Forwarded-Proto', 'http')
  kept.push('X-Forwarded-Host', headers.host ?? '', 'X-Request-ID', id, 'Via', '1.1 undici')
  return kept
}

serve(
  createServer({ noDelay: true }, (request, response) => {
    const { url: path = '/', method = 'GET' } = request
    const length = request.headers['content-length']
    const body = length !== undefined || request.headers['transfer-encoding'] !== undefined ? request : null
    // undici's type of a method is a list with any other string added.
    const options = { path, method: method as Dispatcher.HttpMethod, headers: forwarded(request), body }
    pool.dispatch(options, new Forward(response))
  }),
)
