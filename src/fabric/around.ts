import { durationsByVersion, type Durations } from '../model/ledger-row.ts'
import type { Moment } from '../core/clock.ts'
import { elapsedMs, startAnchor } from './anchor.ts'
import type { Draft } from './draft.ts'
import { baselineOf, trafficBetween } from './receipts.ts'
import type { AftermathRecord, OperationRecord } from './operation-record.ts'

/** A receipt looks at the traffic of this long before its operation, and of this long after it. */
const AROUND_MS = 10_000
/** After a restart of the controller, proxies have this long to tell their counts. */
const GRACE_MS = 5_000
/** One look a second is kept, and one more than it takes. */
const LOOK_MS = 1000
const LOOKS = AROUND_MS / LOOK_MS + 1

/** Keeps what proxies had told a second ago, and the seconds before. */
export function keepEarlier(draft: Draft): void {
  const { earlier = [], proxies } = draft.observed
  const { mono } = draft.now
  const last = earlier.at(-1)
  if (last !== undefined && mono - last.mono < LOOK_MS) return
  draft.observed = { ...draft.observed, earlier: [...earlier.slice(1 - LOOKS), { mono, proxies }] }
}

/** How long requests to a service took in the last seconds, by version. */
export function durationsBefore(draft: Draft, service: string): Record<string, Durations> {
  const { earlier = [] } = draft.observed
  const from = draft.now.mono - AROUND_MS
  // Proxies speak when something has changed: a silence before the first look changed nothing.
  const start = earlier.find(({ mono }) => mono >= from)
  if (start === undefined) return {}
  const observed = { ...draft.observed, proxies: start.proxies }
  return durationsByVersion(
    trafficBetween(baselineOf({ proxies: draft.proxies, observed }, service), baselineOf(draft, service)),
  )
}

/** Begins to watch what comes after an operation that ends now. */
export function watchAfter(draft: Draft, { id, service }: Readonly<OperationRecord>): void {
  const watch = { since: startAnchor(draft.now), counts: baselineOf(draft, service) }
  draft.aftermaths.put(id, { operation: id, service, watch, durations: null })
}

/** Writes down what came after operations whose time is over; forgets those of operations that are forgotten. */
export function advanceAfter(draft: Draft): void {
  for (const { operation, service, watch } of draft.aftermaths.values()) {
    if (draft.operations.get(operation) === undefined) draft.aftermaths.delete(operation)
    else if (watch !== null) look(draft, operation, service, watch)
  }
}

function look(draft: Draft, id: string, service: string, watch: NonNullable<AftermathRecord['watch']>): void {
  const elapsed = elapsedMs(watch.since, draft.now)
  const rebooted = watch.since.bootId !== draft.now.bootId
  if (elapsed < AROUND_MS && !rebooted) return
  const isLate = rebooted || elapsed >= AROUND_MS + GRACE_MS
  const end = baselineOf(draft, service)
  const isWhole = Object.keys(watch.counts).every(incarnation => end[incarnation] != null)
  if (!isWhole && !isLate) return
  const record = draft.aftermaths.edit(id)
  if (record === undefined) return
  record.watch = null
  // Later on it would be the figures of another time.
  if (!isLate) record.durations = durationsByVersion(trafficBetween(watch.counts, end))
}

/** Milliseconds until the time after an operation is over, or null. */
export function afterDueInMs({ watch }: Readonly<AftermathRecord>, now: Moment): number | null {
  if (watch === null) return null
  const elapsed = elapsedMs(watch.since, now)
  return [AROUND_MS, AROUND_MS + GRACE_MS].map(ms => ms - elapsed).find(ms => ms > 0) ?? null
}

/** What was in flight on an instance that is being taken out of rotation, in the operations that do it. */
export function noteDrained(draft: Draft, deployment: string, inFlight: number): void {
  for (const { id, status, deployments } of draft.operations.values()) {
    if (status !== 'InProgress' || !deployments.includes(deployment)) continue
    const operation = draft.operations.edit(id)
    if (operation !== undefined) operation.drained = (operation.drained ?? 0) + inFlight
  }
}
