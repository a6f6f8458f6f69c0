import type { RequestRecord } from './records.ts'

/** One swap as its caller saw it. Times are `now()`. */
export interface SwapWindow {
  /** Just before the call was sent. */
  readonly callAt: number
  /** When its success was known. */
  readonly acknowledgedAt: number
  /** When the next change was called for; from then on this swap says nothing any more. */
  readonly until: number
  /** Which deployment each VIP had before. After it, each has the other's. */
  readonly was: Readonly<Record<string, string>>
}

export type ViolationRule =
  /** Sent after an answer of the new deployment was received on the same VIP, answered by the old one. */
  | 'old-after-new'
  /** The same, the new answer having come on the other VIP: a swap is one step for both. */
  | 'old-after-new-elsewhere'
  /** Sent after the swap was acknowledged, answered by the old one. */
  | 'old-after-acknowledgement'
  /** Answered by a deployment that is in neither slot. */
  | 'stranger'

export interface Violation {
  readonly rule: ViolationRule
  readonly swap: number
  readonly vip: string
  readonly deployment: string
  /** How long after the moment that forbids it the request was sent, milliseconds. */
  readonly lateMs: number
}

export interface SwapCheck {
  /** From the call to the sending of the last request that was answered the old way, milliseconds. */
  readonly lastOldMs: number
  /** From the call to the first answer of the new way on any VIP; null where none came. */
  readonly firstNewMs: number | null
  readonly judged: number
  readonly violations: readonly Violation[]
}

/**
 * Judges every request around each swap. A request counts if it was sent at or after the call and its answer's head
 * came before the next change was called for, since only then is it sure which map it may have met. `sentAt` is taken
 * before sending and `headAt` after receiving, so what is called a violation is one.
 */
export function checkSwaps(records: Iterable<RequestRecord>, swaps: readonly SwapWindow[]): SwapCheck[] {
  const answered = [...records].filter(record => record.deployment !== '' && record.headAt > 0)
  answered.sort((a, b) => a.sentAt - b.sentAt)
  return swaps.map((swap, index) => checkSwap(answered, swap, index))
}

function checkSwap(answered: readonly RequestRecord[], swap: SwapWindow, index: number): SwapCheck {
  const mine: RequestRecord[] = []
  for (let i = firstSentFrom(answered, swap.callAt); i < answered.length; i += 1) {
    const record = answered[i]
    if (record === undefined || record.sentAt >= swap.until) break
    if (record.headAt < swap.until && record.vip in swap.was) mine.push(record)
  }
  const deployments = new Set(Object.values(swap.was))
  const firstNew = new Map<string, number>()
  let firstNewAt = Infinity
  for (const { vip, deployment, headAt } of mine) {
    if (deployment === swap.was[vip] || !deployments.has(deployment)) continue
    firstNew.set(vip, Math.min(firstNew.get(vip) ?? Infinity, headAt))
    firstNewAt = Math.min(firstNewAt, headAt)
  }
  let lastOldMs = 0
  const violations: Violation[] = []
  for (const { vip, deployment, sentAt } of mine) {
    const violate = (rule: ViolationRule, since: number): void => {
      violations.push({ rule, swap: index, vip, deployment, lateMs: sentAt - since })
    }
    const newHereAt = firstNew.get(vip) ?? Infinity
    if (!deployments.has(deployment)) violate('stranger', swap.callAt)
    else if (deployment === swap.was[vip]) {
      lastOldMs = Math.max(lastOldMs, sentAt - swap.callAt)
      if (sentAt > newHereAt) violate('old-after-new', newHereAt)
      else if (sentAt > firstNewAt) violate('old-after-new-elsewhere', firstNewAt)
      else if (sentAt > swap.acknowledgedAt) violate('old-after-acknowledgement', swap.acknowledgedAt)
    }
  }
  const firstNewMs = firstNewAt === Infinity ? null : firstNewAt - swap.callAt
  return { lastOldMs, firstNewMs, judged: mine.length, violations }
}

function firstSentFrom(answered: readonly RequestRecord[], time: number): number {
  let low = 0
  let high = answered.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((answered[middle]?.sentAt ?? Infinity) < time) low = middle + 1
    else high = middle
  }
  return low
}
