import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { projectRoot } from '../system/packages.ts'
import type { Pin } from './cores.ts'

/** What a load generator counted in one round. */
export interface LoadCount {
  readonly requests: number
  readonly seconds: number
  /** Connections that failed, and answers that were not 2xx. */
  readonly errors: number
}

/** One kind of request, the same for every peer. */
export interface RequestShape {
  readonly path: string
  readonly method: 'GET' | 'POST'
  readonly bodyBytes: number
  /** `Name: value` each. */
  readonly headers: readonly string[]
}

/** Saturates with `connections` clients in one thread, each with one request at a time. */
export async function runWrk(
  pin: Pin,
  origin: string,
  request: RequestShape,
  connections: number,
  seconds: number,
): Promise<LoadCount> {
  const script = join(projectRoot(), 'bench', 'proxy', 'wrk.lua')
  const headers = request.headers.flatMap(header => ['-H', header])
  const options = ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '10s', '-s', script, ...headers]
  const args = [...options, `${origin}${request.path}`, '--', request.method, String(request.bodyBytes)]
  const { stdout } = await promisify(execFile)(...pin('wrk', args))
  return parseWrk(stdout)
}

/** Reads the line that wrk.lua writes at the end. */
export function parseWrk(output: string): LoadCount {
  const line = /^RESULT (\{.*\})$/m.exec(output)?.[1]
  if (line === undefined) throw new Error(`wrk said no result:\n${output}`)
  const result = JSON.parse(line) as Record<'requests' | 'microseconds' | 'badStatus' | 'socketErrors', number>
  return {
    requests: result.requests - result.badStatus,
    seconds: result.microseconds / 1e6,
    errors: result.badStatus + result.socketErrors,
  }
}
