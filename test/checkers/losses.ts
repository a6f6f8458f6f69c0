import type { InjectedLine, RequestLine } from '../system/faults/history/line.ts'
import { emptyTimes, mayBeEmpty } from './empty-times.ts'
import type { History } from './recording.ts'
import type { Verdict, Violation } from './verdict.ts'

/** What may be killed, and what a caller can lose by it. */
export const VICTIMS = ['an instance', 'an agent', 'the controller', 'a proxy worker'] as const
export type Victim = (typeof VICTIMS)[number]

/** What the recording says of a kill. */
export function killWords(victim: Victim, name: string): string {
  return `SIGKILL to ${victim}: ${name}`
}

/** Until a proxy knows that an instance or worker is gone, in milliseconds. */
const NOTICED_MS = 200
/** New connections are taken again within this, once a worker was killed. */
const WORKER_BACK_MS = 1000

/**
 * In planned work no request is lost; an empty slot answers 503. A killed instance takes with it what was in flight on it, of which what is idempotent is
 * repeated; a killed worker its connections; a killed agent or controller nothing.
 */
export function checkLosses(history: History): Verdict {
  const injected = [...history.lines('injected')]
  const empty = emptyTimes(history)
  const violations: Violation[] = []
  let judged = 0
  for (const request of history.lines('request')) {
    judged += 1
    if (request.outcome === 'ok' || injected.some(each => explains(each, request))) continue
    const { vip, method, nonce, outcome, status, start, end } = request
    if (status === 503 && mayBeEmpty(empty, vip, start, end)) continue
    const how = outcome === 'status' ? String(status) : outcome
    const text = `${method} ${nonce} on ${vip}: ${how} after ${Math.round(end - start)} ms, by ${request.instance || 'no instance'}`
    violations.push({ at: start, text })
  }
  return { name: 'requests are lost only by what may lose them', judged, of: 'requests', violations }
}

function explains({ what, at }: InjectedLine, { method, start, end }: RequestLine): boolean {
  if (end < at) return false
  if (what.startsWith(killWords('a proxy worker', ''))) return start < at + WORKER_BACK_MS
  return what.startsWith(killWords('an instance', '')) && method === 'POST' && start < at + NOTICED_MS
}
