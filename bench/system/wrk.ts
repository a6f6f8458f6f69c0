import { execFile, spawnSync } from 'node:child_process'
import { promisify } from 'node:util'

export interface WrkResult {
  readonly requests: number
  /** connect + read + write + time-out errors, as wrk counts them. */
  readonly socketErrors: number
  readonly badStatus: number
  readonly output: string
}

export function hasWrk(): boolean {
  return spawnSync('wrk', ['-v'], { stdio: 'ignore' }).error === undefined
}

/** One round of an independent client. Its own counts are taken as they are. */
export async function runWrk(url: string, seconds: number): Promise<WrkResult> {
  const { stdout } = await promisify(execFile)('wrk', ['-t1', '-c8', `-d${seconds}s`, '--timeout', '30s', url])
  return parseWrk(stdout)
}

export function parseWrk(output: string): WrkResult {
  const number = (pattern: RegExp): number => Number(pattern.exec(output)?.[1] ?? 0)
  const errors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(output)?.slice(1) ?? []
  return {
    requests: number(/(\d+) requests in/),
    socketErrors: errors.reduce((sum, each) => sum + Number(each), 0),
    badStatus: number(/Non-2xx or 3xx responses: (\d+)/),
    output,
  }
}
