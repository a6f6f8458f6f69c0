import type { TrafficPoint, TrafficSeries } from '../../../contracts/traffic.ts'
import { useEffect, useState } from 'preact/hooks'
import { ApiError, call } from '../core/api.ts'
import type { Slot } from '../core/router.ts'

export type SeriesRow = TrafficPoint['rows'][number]

const SECONDS = 300
const POLL_MS = 1000

/** The last five minutes of a service's traffic, oldest first; null where the controller does not tell. */
export function useSeries(service: string): readonly TrafficPoint[] | null {
  const [points, setPoints] = useState<readonly TrafficPoint[] | null>([])
  useEffect(() => {
    let known: readonly TrafficPoint[] = []
    let stopped = false
    let timer: number | undefined
    const look = async (): Promise<void> => {
      if (!document.hidden) {
        try {
          const after = known.at(-1)?.seq
          const more = after === undefined ? '' : `&after=${after}`
          const path = `/v1/services/${encodeURIComponent(service)}/traffic/series?seconds=${SECONDS}${more}`
          const answer = await call<TrafficSeries>('GET', path)
          if (stopped) return
          if (answer.points.length > 0 || known.length === 0) {
            known = [...known, ...answer.points].slice(-SECONDS)
            setPoints(known)
          }
        } catch (error) {
          if (stopped) return
          // Away for a while: what is known stays, and its numbers go on over a restart.
          if (error instanceof ApiError && error.problem?.status === 404) setPoints(null)
        }
      }
      timer = setTimeout(() => void look(), POLL_MS)
    }
    void look()
    return () => {
      stopped = true
      clearTimeout(timer)
    }
  }, [service])
  return points
}

/** Sums of a slot over its last whole seconds. */
export function latest(
  points: readonly TrafficPoint[],
  slot: Slot,
): { rps: number; errors: number; open: number; p99Ms: number | null } {
  const last = points.slice(-3).map(({ rows }) => rows.filter(row => row.slot === slot))
  const mean = (of: (row: SeriesRow) => number): number =>
    last.length === 0 ? 0 : last.flat().reduce((sum, row) => sum + of(row), 0) / last.length
  const slowest = last.flat().flatMap(({ p99Ms }) => (p99Ms === null ? [] : [p99Ms]))
  return {
    rps: mean(row => row.requests),
    errors: mean(row => row.errors),
    open: (last.at(-1) ?? []).reduce((sum, row) => sum + row.open, 0),
    p99Ms: slowest.length === 0 ? null : Math.max(...slowest),
  }
}
