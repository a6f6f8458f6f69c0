import { MAX_POINTS, type TrafficPoint, type TrafficSeries } from '../../contracts/traffic.ts'
import type { LedgerRow } from '../../contracts/ledger.ts'
import type { FabricState } from '../../fabric/state.ts'
import { trafficBetween, type Counts } from '../../fabric/receipts.ts'
import { addRows, brokenOf, NO_ANSWERS, placeOf, serviceOf } from '../../model/ledger-row.ts'
import { quantileOf } from '../../model/latency.ts'
import { endedOf } from './window.ts'

type PointRows = TrafficPoint['rows']
type PointRow = PointRows[number]
type Proxies = FabricState['observed']['proxies']

interface Second {
  readonly at: string
  readonly seq: number
  /** Only services that had something to tell. */
  readonly rows: ReadonlyMap<string, PointRows>
}

/** What every service did in each of the last seconds. Kept in memory: a restart begins it anew. */
export class SecondsRing {
  readonly #seconds: Second[] = []
  #last: Proxies | null = null
  #seq = 0

  /** Ends a second: what has been counted since the last call. `wall` in milliseconds. */
  sample({ observed }: Pick<FabricState, 'observed'>, wall: number): void {
    const { proxies } = observed
    this.#seq = Math.max(this.#seq + 1, Math.floor(wall / 1000))
    const rows = this.#last === null ? new Map<string, PointRows>() : rowsBetween(this.#last, proxies)
    this.#last = proxies
    this.#seconds.push({ at: new Date(wall).toISOString(), seq: this.#seq, rows })
    if (this.#seconds.length > MAX_POINTS) this.#seconds.shift()
  }

  /** The last `seconds` points of a service, of those only the ones after number `after`. */
  series(service: string, seconds: number, after: number): TrafficSeries {
    const points = this.#seconds
      .slice(-Math.max(1, seconds))
      .filter(({ seq }) => seq > after)
      .map(({ at, seq, rows }) => ({ at, seq, rows: rows.get(service) ?? [] }))
    return { service, stepMs: 1000, points }
  }
}

/** By service. A proxy that was not known at the start has told what it counted in earlier times, too: it waits a second. */
function rowsBetween(start: Proxies, end: Proxies): Map<string, PointRows> {
  const before: Counts = {}
  const after: Counts = {}
  for (const [incarnation, { status }] of Object.entries(end)) {
    const earlier = start[incarnation]?.status
    if (earlier == null || status === null || earlier === status) continue
    before[incarnation] = earlier.ledger.rows
    after[incarnation] = status.ledger.rows
  }
  const sums = new Map<string, Sum>()
  for (const row of trafficBetween(before, after)) {
    const service = serviceOf(row.vip)
    const { slot } = placeOf(row.vip)
    const key = [service, slot ?? '', row.deployment, row.version].join('\n')
    const sum = sums.get(key)
    if (sum === undefined) sums.set(key, { service, slot, row, open: row.open })
    else Object.assign(sum, { row: addRows(sum.row, row), open: sum.open + row.open })
  }
  const rows = new Map<string, PointRow[]>()
  for (const sum of sums.values()) {
    const list = rows.get(sum.service)
    if (list === undefined) rows.set(sum.service, [pointRow(sum)])
    else list.push(pointRow(sum))
  }
  return rows
}

interface Sum {
  service: string
  slot: PointRow['slot']
  row: LedgerRow
  open: number
}

function pointRow({ slot, row, open }: Sum): PointRow {
  const { statuses, own, duration } = row.answers ?? NO_ANSWERS
  return {
    slot,
    deployment: row.deployment === '' ? null : row.deployment,
    version: row.version === '' ? null : row.version,
    requests: endedOf(row),
    // Most broken requests were answered 5xx by the proxy: they count once.
    errors: statuses[4] + Math.max(own[4], brokenOf(row)),
    held: row.held,
    open,
    replayed: row.replayed,
    p50Ms: quantileOf(duration.buckets, 0.5),
    p99Ms: quantileOf(duration.buckets, 0.99),
  }
}
