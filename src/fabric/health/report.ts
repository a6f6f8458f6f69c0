import type { Draft } from '../draft.ts'
import { elapsedMs, startAnchor } from '../anchor.ts'
import { requireDeployment } from '../lookup.ts'
import { refuse } from '../refusal.ts'
import type { Table } from '../state.ts'
import type { HealthRecord, HealthReport } from '../health-record.ts'
import type { Observed } from '../observed.ts'
import type { HealthReported } from '../input.ts'
import type { Moment } from '../../core/clock.ts'
import { own } from '../../core/own.ts'

/** What reports on an instance are kept under: on whichever of its processes, and whatever it runs. */
export function healthKey(deployment: string, instance: string): string {
  return `${deployment}/${instance}`
}

/** Reports kept of one deployment or instance: what watches it is few, and each keeps one per property. */
const MAX_REPORTS = 32
/** Reports of these sources are ours to make (Service Fabric: not `System.*` from users). */
const RESERVED = /^system\./i

/** What health is judged from: a draft's tables, or a committed state's. */
export interface HealthSource {
  readonly now: Moment
  readonly observed: Observed
  reportsOf(key: string): readonly Readonly<HealthReport>[]
}

export function healthOf(draft: Draft): HealthSource {
  return { now: draft.now, observed: draft.observed, reportsOf: key => draft.health.get(key)?.reports ?? [] }
}

export function healthIn(state: { health: Table<HealthRecord>; observed: Observed }, now: Moment): HealthSource {
  return { now, observed: state.observed, reportsOf: key => own(state.health, key)?.reports ?? [] }
}

/**
 * Takes a report from outside; it replaces the earlier one of the same source and property. Refuses with `stale_report`
 * unless its sequence number is above that one's; the very same report again changes nothing.
 */
export function acceptReport(draft: Draft, { service, slot, instance, report }: HealthReported): void {
  const deployment = requireDeployment(draft, service, slot)
  if (
    instance !== undefined &&
    !draft.rolesOf(deployment.id).some(role => role.instances.some(one => one.id === instance))
  )
    refuse('instance_not_found', `there is no instance "${instance}" in ${service}/${slot}`)
  if (RESERVED.test(report.source)) {
    refuse(
      'invalid_request',
      `source "${report.source}" is reserved: sources that begin with System. are vipswap's own`,
    )
  }
  const key = instance === undefined ? deployment.id : healthKey(deployment.id, instance)
  const before = (draft.health.get(key)?.reports ?? []).find(
    other => other.source === report.source && other.property === report.property,
  )
  // Service Fabric counts for who does not, in time's own order.
  const sequence = report.sequence ?? Math.max(draft.now.wall, (before?.sequence ?? -1) + 1)
  if (before !== undefined && sequence <= before.sequence) {
    if (sequence === before.sequence && isSame(before, report)) return
    refuse(
      'stale_report',
      `sequence ${sequence} of ${report.source}/${report.property} is not above ${before.sequence}, which is known already: count upwards, or leave it out`,
    )
  }
  const record =
    draft.health.edit(key) ??
    draft.health.put(key, { deployment: deployment.id, instance: instance ?? null, reports: [] })
  record.reports = record.reports.filter(other => other.source !== report.source || other.property !== report.property)
  if (record.reports.length >= MAX_REPORTS) {
    refuse(
      'too_many_reports',
      `${instance ?? deployment.id} has ${MAX_REPORTS} reports already: give them a ttl and removeWhenExpired, or report under the same source and property`,
    )
  }
  record.reports.push({
    source: report.source,
    property: report.property,
    state: report.state,
    description: report.description,
    ttlMs: report.ttlMs,
    removeWhenExpired: report.removeWhenExpired,
    sequence,
    at: draft.now.wall,
    anchor: startAnchor(draft.now),
  })
  if (before?.state !== report.state) {
    draft.event(
      'health-reported',
      `${report.source}/${report.property}: ${report.state}${report.description === '' ? '' : `, ${report.description}`}`,
      {
        service,
        slot,
        deployment: deployment.id,
        ...(instance === undefined ? {} : { instance }),
      },
    )
  }
}

function isSame(before: Readonly<HealthReport>, report: HealthReported['report']): boolean {
  return (
    before.state === report.state &&
    before.description === report.description &&
    before.ttlMs === report.ttlMs &&
    before.removeWhenExpired === report.removeWhenExpired
  )
}

export function isExpired(report: Readonly<HealthReport>, now: Moment): boolean {
  return report.ttlMs !== null && elapsedMs(report.anchor, now) >= report.ttlMs
}

/** Forgets reports that asked for it when they expire, and those about what is no longer there. */
export function pruneReports(draft: Draft): void {
  let there: ReadonlySet<string> | null = null
  for (const key of draft.health.keys()) {
    const record = draft.health.get(key)
    if (record === undefined) continue
    there ??= subjects(draft)
    if (!there.has(key)) draft.health.delete(key)
    else if (record.reports.some(report => isOver(report, draft.now))) {
      const reports = record.reports.filter(report => !isOver(report, draft.now))
      if (reports.length === 0) draft.health.delete(key)
      else draft.health.put(key, { ...record, reports })
    }
  }
}

function isOver(report: Readonly<HealthReport>, now: Moment): boolean {
  return report.removeWhenExpired && isExpired(report, now)
}

/** Keys of everything that can be reported on. */
function subjects(draft: Draft): Set<string> {
  const keys = new Set(draft.deployments.keys())
  for (const role of draft.roles.values()) {
    for (const instance of role.instances) keys.add(healthKey(role.deployment, instance.id))
  }
  return keys
}

/** Milliseconds until a report expires, or null. */
export function reportDueInMs({ reports }: Readonly<HealthRecord>, now: Moment): number | null {
  const left = reports
    .flatMap(({ ttlMs, anchor }) => (ttlMs === null ? [] : ttlMs - elapsedMs(anchor, now)))
    .filter(ms => ms > 0)
  return left.length === 0 ? null : Math.min(...left)
}
