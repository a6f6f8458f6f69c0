import { get, type RequestOptions } from 'node:http'
import { connect } from 'node:net'
import { H2CClient } from 'undici'
import type { Probe } from '../src/model/definition.ts'
import { formatAddress } from '../src/core/address.ts'
import { errorMessage } from '../src/core/errors.ts'

export interface ProbeResult {
  readonly ok: boolean
  /** For people: `HTTP 200`, `HTTP 503: warming up`, `connect ECONNREFUSED 127.0.0.1:20001`. */
  readonly detail: string
}

const BODY_SHOWN = 120

/** Asks once. Never throws: an error is a failed probe. `backend`: what the probed endpoint speaks. */
export async function probeOnce(
  probe: Probe,
  host: string,
  ports: Readonly<Record<string, number>>,
  backend: 'h1' | 'h2c' = 'h1',
): Promise<ProbeResult> {
  if (probe.kind === 'process') return { ok: true, detail: 'the process is up' }
  const port = ports[probe.endpoint]
  if (port === undefined) return { ok: false, detail: `there is no endpoint ${probe.endpoint} to probe` }
  try {
    return probe.kind === 'http'
      ? await probeHttp(host, port, probe.path, probe.timeoutMs, backend)
      : await probeTcp(host, port, probe.timeoutMs)
  } catch (error) {
    const late = error instanceof Error && error.name === 'TimeoutError'
    return { ok: false, detail: late ? `no answer within ${probe.timeoutMs} ms` : errorMessage(error) }
  }
}

/** A connection of its own each time: that the instance still accepts is part of the question. */
async function probeHttp(
  host: string,
  port: number,
  path: string,
  timeoutMs: number,
  backend: 'h1' | 'h2c',
): Promise<ProbeResult> {
  const signal = AbortSignal.timeout(timeoutMs)
  const headers = { host, 'user-agent': 'vipswap-probe', accept: '*/*' }
  const answer = await (backend === 'h2c'
    ? askH2c(formatAddress({ host, port }), path, headers, signal)
    : askH1({ host, port, path, headers, signal }))
  try {
    const { statusCode, body } = answer
    const ok = statusCode >= 200 && statusCode < 400
    let shown = ''
    if (!ok) {
      for await (const chunk of body) {
        shown += String(chunk)
        if (shown.length > BODY_SHOWN) break
      }
    }
    const cut = shown.length > BODY_SHOWN ? '…' : ''
    const text = shown.slice(0, BODY_SHOWN).replaceAll(/\s+/g, ' ').trim() + cut
    return { ok, detail: `HTTP ${statusCode}${text === '' ? '' : `: ${text}`}` }
  } catch (error) {
    throw signal.aborted ? signal.reason : error
  } finally {
    answer.end()
  }
}

interface Answer {
  readonly statusCode: number
  readonly body: AsyncIterable<unknown>
  end(): void
}

/** By `node:http`: it costs two thirds of what a client of undici's for each question does, and many are asked. */
async function askH1(options: RequestOptions & { signal: AbortSignal }): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = get({ ...options, agent: false }, body => {
      body.on('error', () => {})
      resolve({ statusCode: body.statusCode ?? 0, body, end: () => asked.destroy() })
    })
    asked.on('error', error => reject(options.signal.aborted ? options.signal.reason : error))
  })
}

async function askH2c(
  address: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Answer> {
  const client = new H2CClient(`http://${address}`)
  const end = (): void => void client.destroy().catch(() => {})
  try {
    const { statusCode, body } = await client.request({ method: 'GET', path, headers, reset: true, signal })
    return { statusCode, body, end }
  } catch (error) {
    end()
    throw error
  }
}

async function probeTcp(host: string, port: number, timeoutMs: number): Promise<ProbeResult> {
  return new Promise(resolve => {
    const socket = connect({ host, port })
    const finish = (ok: boolean, detail: string): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve({ ok, detail })
    }
    const timer = setTimeout(() => finish(false, `no connection within ${timeoutMs} ms`), timeoutMs)
    socket.once('connect', () => finish(true, `connected to port ${port}`))
    socket.once('error', error => finish(false, error.message))
  })
}
