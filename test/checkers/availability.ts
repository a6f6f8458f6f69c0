import { emptyTimes, mayBeEmpty } from './empty-times.ts'
import type { History } from './recording.ts'

/** How an address did, second by second. */
export interface Availability {
  readonly vip: string
  readonly requests: number
  readonly lost: number
  /** Seconds in which requests were begun, and those of them in which none was lost. */
  readonly seconds: number
  readonly good: number
  readonly slowestMs: number
}

/** A second counts as good where every request that was begun in it was answered rightly; 503 of an empty slot is neither. */
export function availabilityOf(history: History): Availability[] {
  interface Count {
    requests: number
    lost: number
    slowestMs: number
    readonly seconds: Map<number, boolean>
  }
  const empty = emptyTimes(history)
  const vips = new Map<string, Count>()
  for (const { vip, start, end, outcome, status } of history.lines('request')) {
    if (status === 503 && mayBeEmpty(empty, vip, start, end)) continue
    const count = vips.get(vip) ?? { requests: 0, lost: 0, slowestMs: 0, seconds: new Map<number, boolean>() }
    vips.set(vip, count)
    const second = Math.floor(start / 1000)
    count.requests += 1
    if (outcome !== 'ok') count.lost += 1
    count.slowestMs = Math.max(count.slowestMs, end - start)
    count.seconds.set(second, outcome === 'ok' && count.seconds.get(second) !== false)
  }
  return [...vips].map(([vip, { requests, lost, slowestMs, seconds }]) => {
    const good = [...seconds.values()].filter(Boolean).length
    return { vip, requests, lost, seconds: seconds.size, good, slowestMs: Math.round(slowestMs) }
  })
}
