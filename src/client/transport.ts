import { X509Certificate } from 'node:crypto'
import { TLSSocket } from 'node:tls'
import { Agent, buildConnector, type Dispatcher } from 'undici'
import type { IncomingHttpHeaders } from 'node:http'
import type { Readable } from 'node:stream'
import { ERRORS, VipswapError, errorMessage, systemCode, type ErrorCode } from '../core/errors.ts'

export interface ClientOptions {
  /** `http://127.0.0.1:9090` */
  readonly url: string
  readonly token?: string
  readonly tls?: ClientTls
}

/** Of `https:` addresses. PEM text. */
export interface ClientTls {
  /** Authorities to trust instead of those that Node knows. */
  readonly ca?: string
  /** Shown to the controller, with its key. */
  readonly cert?: string
  readonly key?: string
  /** Trust exactly this certificate, whatever names it has. */
  readonly only?: string
}

export interface Call {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** With query, from `/`. */
  readonly path: string
  /** Sent as JSON. */
  readonly json?: unknown
  /** Sent as it is, with its media type. */
  readonly upload?: { readonly body: Readable | Buffer; readonly type: string }
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

/** One HTTP conversation with the admin API: errors of all kinds come out as `VipswapError`. */
export interface Transport {
  /** The whole answer, read as JSON. */
  json(call: Call): Promise<unknown>
  /** The whole answer as text. */
  text(call: Call): Promise<string>
  /** The answer as it comes. Destroy or drain it. */
  stream(call: Call): Promise<{ readonly body: Readable; readonly headers: IncomingHttpHeaders }>
  close(): Promise<void>
}

export function createTransport({ url, token, tls = {} }: ClientOptions): Transport {
  const base = parseUrl(url)
  // Streams (events, logs) are silent for as long as nothing happens; uploads are answered when they were read.
  const agent = new Agent({ connect: connectorOf(tls), bodyTimeout: 0, headersTimeout: 0 })

  const open = async (call: Call): Promise<Dispatcher.ResponseData> => {
    const headers: Record<string, string> = { accept: 'application/json', ...call.headers }
    if (token !== undefined && token !== '') headers['authorization'] = `Bearer ${token}`
    if (call.json !== undefined) headers['content-type'] = 'application/json'
    if (call.upload !== undefined) headers['content-type'] = call.upload.type
    let answer: Dispatcher.ResponseData
    try {
      answer = await agent.request({
        origin: base.origin,
        path: base.pathname.replace(/\/$/, '') + call.path,
        method: call.method,
        headers,
        body: call.upload?.body ?? (call.json === undefined ? null : JSON.stringify(call.json)),
        ...(call.signal === undefined ? {} : { signal: call.signal }),
      })
    } catch (error) {
      throw failure(error, base, call)
    }
    if (answer.statusCode < 400) return answer
    throw problemError(answer.statusCode, await answer.body.text().catch(() => ''))
  }

  const text = async (call: Call): Promise<string> => {
    const answer = await open(call)
    try {
      return await answer.body.text()
    } catch (error) {
      throw failure(error, base, call)
    }
  }

  return {
    text,
    async json(call) {
      const body = await text(call)
      try {
        const value: unknown = JSON.parse(body)
        return value
      } catch {
        throw new VipswapError('unreachable', `${base.origin} does not answer like vipswap's admin API`)
      }
    },
    stream: async call => {
      const { body, headers } = await open(call)
      return { body, headers }
    },
    close: async () => agent.destroy(),
  }
}

function connectorOf({ only, ...options }: ClientTls): buildConnector.connector {
  const timeout = 5000
  if (only === undefined) return buildConnector({ timeout, ...options })
  const expected = new X509Certificate(only).raw
  // Whose it is is looked at below, before a byte of a request goes out.
  const connect = buildConnector({ timeout, ...options, rejectUnauthorized: false })
  return (target, done) => {
    connect(target, (error, socket) => {
      if (error !== null) done(error, null)
      else if (socket instanceof TLSSocket && socket.getPeerX509Certificate()?.raw.equals(expected) !== true) {
        socket.destroy()
        done(new Error('it shows another certificate than it was started with'), null)
      } else done(null, socket)
    })
  }
}

/** The error a problem document tells of; anything else by its status. */
function problemError(status: number, body: string): VipswapError {
  let problem: Record<string, unknown> = {}
  try {
    const parsed: unknown = JSON.parse(body)
    if (typeof parsed === 'object' && parsed !== null) problem = { ...parsed }
  } catch {
    // Not a problem document: something else answers at this address.
  }
  const { code, detail, type: _type, title: _title, status: _status, ...details } = problem
  if (isErrorCode(code)) return new VipswapError(code, typeof detail === 'string' ? detail : code, details)
  return new VipswapError('unreachable', `the admin address answered ${status}, and not as vipswap does`, {
    status,
    ...details,
  })
}

function failure(thrown: unknown, base: URL, call: Call): VipswapError {
  if (thrown instanceof VipswapError) return thrown
  if (call.signal?.aborted === true) return new VipswapError('cancelled', 'broken off', {}, { cause: thrown })
  const code = systemCode(thrown)
  const why =
    code === 'ECONNREFUSED'
      ? `nothing listens at ${base.origin}; start it with "vipswap up", or say where it is with --admin URL`
      : `${base.origin} does not answer (${errorMessage(thrown)})`
  return new VipswapError('unreachable', why, {}, { cause: thrown })
}

function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(ERRORS, code)
}

/** `127.0.0.1:9090` means `http://127.0.0.1:9090`. */
function parseUrl(text: string): URL {
  const full = /^[a-z]+:\/\//i.test(text) ? text : `http://${text}`
  if (/^https?:/i.test(full) && URL.canParse(full)) return new URL(full)
  throw new VipswapError('usage', `"${text}" is not an admin address; write for example http://127.0.0.1:9090`)
}
