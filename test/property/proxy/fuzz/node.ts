import { createServer, request, type IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { comparable, type Message, type Reading } from './message.ts'

const MAX_HEAD = 64 * 1024

/** A connection in memory; what is written to it is dropped. */
class Wire extends Duplex {
  override _read(): void {
    // Pushed as it comes.
  }

  override _write(_chunk: unknown, _encoding: string, done: () => void): void {
    done()
  }

  // Of a socket, as node:http calls them.
  setTimeout(): this {
    return this
  }
  setNoDelay(): this {
    return this
  }
  setKeepAlive(): this {
    return this
  }
  ref(): this {
    return this
  }
  unref(): this {
    return this
  }
}

function fieldsOf(message: IncomingMessage): Message['fields'] {
  const all: [string, string][] = []
  for (let n = 0; n < message.rawHeaders.length; n += 2) {
    all.push([message.rawHeaders[n] ?? '', message.rawHeaders[n + 1] ?? ''])
  }
  return comparable(all)
}

/** The target as RFC 9112 section 3.2.1 has it where it came in absolute form. */
function originForm(incoming: IncomingMessage): string {
  const url = incoming.url ?? ''
  const absolute = /^https?:\/\/[^/?#]*(.*)$/i.exec(url)
  if (absolute === null) return url
  const path = absolute[1] ?? ''
  if (path === '') return incoming.method === 'OPTIONS' ? '*' : '/'
  return path.startsWith('?') ? `/${path}` : path
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await nextTurn()
}

/** Reads by Node's own server, as strict as it is by default. */
export class NodeServer {
  // Without its look at Host, which would leave one request out and go on with the next.
  readonly #server = createServer({ maxHeaderSize: MAX_HEAD, requireHostHeader: false })
  #requests: { request: IncomingMessage; body: string }[] = []
  #why: string | null = null

  constructor() {
    this.#server.on('request', (incoming, response) => {
      const one = { request: incoming, body: '' }
      this.#requests.push(one)
      incoming.setEncoding('latin1')
      incoming.on('data', (chunk: string) => {
        one.body += chunk
      })
      incoming.on('error', () => {})
      response.on('error', () => {})
      response.end()
    })
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      this.#why ??= error.code ?? error.message
      socket.destroy()
    })
  }

  async read(text: string): Promise<Reading> {
    this.#requests = []
    this.#why = null
    const wire = new Wire()
    wire.on('error', () => {})
    this.#server.emit('connection', wire)
    wire.push(Buffer.from(text, 'latin1'))
    await settle()
    const messages: Message[] = []
    for (const { request: incoming, body } of this.#requests) {
      if (!incoming.complete) break
      messages.push({ start: `${incoming.method ?? ''} ${originForm(incoming)}`, fields: fieldsOf(incoming), body })
    }
    const why = this.#why
    wire.destroy()
    await nextTurn()
    return { messages, why }
  }
}

/** Reads an answer by Node's own client; the connection ends after `text`. */
export async function readAnswerByNode(text: string, method: string): Promise<Reading> {
  const wire = new Wire()
  let why: string | null = null
  let answer: IncomingMessage | null = null
  let body = ''
  const sent = request({
    method,
    path: '/',
    host: 'app',
    maxHeaderSize: MAX_HEAD,
    // What is asked of a socket here, Wire has.
    createConnection: () => wire as unknown as Socket,
  })
  sent.on('error', (error: NodeJS.ErrnoException) => {
    why ??= error.code ?? error.message
  })
  sent.on('upgrade', () => {
    why = 'upgrade'
  })
  sent.on('response', incoming => {
    answer = incoming
    incoming.setEncoding('latin1')
    incoming.on('data', (chunk: string) => {
      body += chunk
    })
    incoming.on('error', () => {})
  })
  sent.end()
  await nextTurn()
  wire.push(Buffer.from(text, 'latin1'))
  await settle()
  wire.push(null)
  await settle()
  const got = answer as IncomingMessage | null
  const messages: Message[] = []
  if (got?.complete === true) messages.push({ start: String(got.statusCode ?? 0), fields: fieldsOf(got), body })
  wire.destroy()
  sent.destroy()
  return { messages, why }
}
