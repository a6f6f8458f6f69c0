import { addBuckets, subtractBuckets, type SparseBuckets } from '../core/histogram.ts'
import { own } from '../core/own.ts'
import type { Slot } from './slot.ts'

/** Why a request that reached the proxy was not answered whole by an instance. */
export const BROKEN_CAUSES = [
  'connect-failed', // no instance could be reached
  'upstream-closed', // the instance closed or reset before its answer was whole
  'bad-response', // the answer broke RFC 9112
  'timeout', // the instance was too slow
  'hold-expired', // waited, for a ready instance or a free one, for longer than holdTimeout
  'hold-full', // more waited than holdMax, holdBytes or a pool's maxQueue
  'no-instance', // nothing ready and nothing expected, in a slot that is occupied
  'drain-deadline', // cut at the end of a planned drain
  'proxy-died',
  'internal',
] as const
export type BrokenCause = (typeof BROKEN_CAUSES)[number]

/**
 * Cumulative counts of one proxy incarnation. `arrived` counts where the request was first given a choice (deployment
 * and version empty if it had none, for example while held); the other counts where it ended. Summed over the rows of one
 * VIP: arrived = answered + refused + clientGone + Σ broken + open.
 */
export interface LedgerRow {
  /** A listener's key. */
  readonly vip: string
  /** `*` with an empty version: deployments that have long been gone, no longer told apart. */
  readonly deployment: string
  readonly version: string
  readonly arrived: number
  /** Answered by an instance, whole. */
  readonly answered: number
  /** Answered by the proxy itself: a 4xx, 503 from an empty or suspended slot, 200 to a balancer at a paused address. */
  readonly refused: number
  /** The client left first. */
  readonly clientGone: number
  readonly held: number
  readonly heldMaxMs: number
  readonly replayed: number
  readonly broken: Readonly<Partial<Record<BrokenCause, number>>>
  /** Left out where nothing was answered. */
  readonly answers?: AnswerCounts
}

/** What was sent to clients. Interim answers (103) are not counted; a tunnel counts by its 101 and has no durations. */
export interface AnswerCounts {
  /** Answers of instances whose head was passed on: 1xx, 2xx, 3xx, 4xx, 5xx. */
  readonly statuses: StatusClasses
  /** Answers made by the proxy itself. */
  readonly own: StatusClasses
  /** Bytes of bodies, as they are framed in HTTP/1.1, and of tunnels: from clients, and to them. Counted at the end. */
  readonly bytesIn: number
  readonly bytesOut: number
  /** Answered requests: from the arrival of the head to the last byte handed to the client's connection. */
  readonly duration: Durations
  /** The same requests: from the arrival of the head to the head of the answer. */
  readonly firstByte: Durations
}

export type StatusClasses = readonly [number, number, number, number, number]

export interface Durations {
  /** Microseconds, so that sums stay exact. */
  readonly sumUs: number
  readonly buckets: SparseBuckets
}

/** In place of names that are no longer told apart. */
const FOLDED = '*'

const NO_STATUSES: StatusClasses = [0, 0, 0, 0, 0]
const NO_DURATIONS: Durations = { sumUs: 0, buckets: [] }
export const NO_ANSWERS: AnswerCounts = {
  statuses: NO_STATUSES,
  own: NO_STATUSES,
  bytesIn: 0,
  bytesOut: 0,
  duration: NO_DURATIONS,
  firstByte: NO_DURATIONS,
}

/** A row in which nothing has been counted. */
export function emptyRow(vip: string, deployment: string, version: string): LedgerRow {
  return {
    vip,
    deployment,
    version,
    arrived: 0,
    answered: 0,
    refused: 0,
    clientGone: 0,
    held: 0,
    heldMaxMs: 0,
    replayed: 0,
    broken: {},
  }
}

/** The row into which those of a VIP go that are no longer told apart. */
export function foldedRow(vip: string): LedgerRow {
  return emptyRow(vip, FOLDED, '')
}

/** Is it such a row? */
export function isFolded(row: LedgerRow): boolean {
  return row.deployment === FOLDED
}

/** Stands for the VIPs that a service had once: internal ones go with their deployment. */
export function earlierVips(service: string): string {
  return `${service}/${FOLDED}`
}

/** The service that a VIP belongs to. */
export function serviceOf(vip: string): string {
  return vip.slice(0, vip.indexOf('/'))
}

/** The slot, role and endpoint that a VIP's key names; an internal one has no slot. */
export function placeOf(vip: string): { slot: Slot | null; role: string; endpoint: string } {
  const [, first, role = '', endpoint = ''] = vip.split('/')
  return { slot: first === 'production' || first === 'staging' ? first : null, role, endpoint }
}

/** Names a row among those of one proxy. */
export function rowKey(row: Pick<LedgerRow, 'vip' | 'deployment' | 'version'>): string {
  return `${row.vip}\n${row.deployment}\n${row.version}`
}

/** All broken requests of a row. */
export function brokenOf(row: LedgerRow): number {
  let count = 0
  for (const broken of Object.values(row.broken)) count += broken
  return count
}

/** What a row adds to the open requests of its VIP; less than nothing where requests ended that arrived in another row. */
export function openOf(row: LedgerRow): number {
  return row.arrived - row.answered - row.refused - row.clientGone - brokenOf(row)
}

/** Nothing was counted. */
export function isEmptyRow(row: LedgerRow): boolean {
  return row.arrived + row.answered + row.refused + row.clientGone + row.held + brokenOf(row) === 0
}

/** The sum, under the names of `a`; `heldMaxMs` is the larger. */
export function addRows(a: LedgerRow, b: LedgerRow): LedgerRow {
  return combine(a, b, 1, Math.max(a.heldMaxMs, b.heldMaxMs))
}

/** What was counted between two moments; `heldMaxMs` only where it grew in between. Causes that did not grow are left out. */
export function subtractRows(end: LedgerRow, start: LedgerRow): LedgerRow {
  return combine(end, start, -1, end.heldMaxMs > start.heldMaxMs ? end.heldMaxMs : 0)
}

/** Sums by VIP, deployment and version. */
export function sumRows(parts: Iterable<Iterable<LedgerRow>>): LedgerRow[] {
  const sums = new Map<string, LedgerRow>()
  for (const part of parts) {
    for (const row of part) {
      const key = rowKey(row)
      const sum = sums.get(key)
      sums.set(key, sum === undefined ? row : addRows(sum, row))
    }
  }
  return [...sums.values()]
}

function combine(a: LedgerRow, b: LedgerRow, sign: 1 | -1, heldMaxMs: number): LedgerRow {
  const broken: Partial<Record<BrokenCause, number>> = {}
  for (const cause of BROKEN_CAUSES) {
    const count = (a.broken[cause] ?? 0) + sign * (b.broken[cause] ?? 0)
    if (count !== 0) broken[cause] = count
  }
  const row: LedgerRow = {
    vip: a.vip,
    deployment: a.deployment,
    version: a.version,
    arrived: a.arrived + sign * b.arrived,
    answered: a.answered + sign * b.answered,
    refused: a.refused + sign * b.refused,
    clientGone: a.clientGone + sign * b.clientGone,
    held: a.held + sign * b.held,
    heldMaxMs,
    replayed: a.replayed + sign * b.replayed,
    broken,
  }
  if (a.answers === undefined && b.answers === undefined) return row
  return { ...row, answers: combineAnswers(a.answers ?? NO_ANSWERS, b.answers ?? NO_ANSWERS, sign) }
}

function combineAnswers(a: AnswerCounts, b: AnswerCounts, sign: 1 | -1): AnswerCounts {
  return {
    statuses: combineClasses(a.statuses, b.statuses, sign),
    own: combineClasses(a.own, b.own, sign),
    bytesIn: a.bytesIn + sign * b.bytesIn,
    bytesOut: a.bytesOut + sign * b.bytesOut,
    duration: combineDurations(a.duration, b.duration, sign),
    firstByte: combineDurations(a.firstByte, b.firstByte, sign),
  }
}

function combineClasses(a: StatusClasses, b: StatusClasses, sign: 1 | -1): StatusClasses {
  return [a[0] + sign * b[0], a[1] + sign * b[1], a[2] + sign * b[2], a[3] + sign * b[3], a[4] + sign * b[4]]
}

/** Durations of answered requests by version, of all rows that have one. */
export function durationsByVersion(rows: Iterable<LedgerRow>): Record<string, Durations> {
  const sums: Record<string, Durations> = {}
  for (const { version, answers } of rows) {
    if (version === '' || answers === undefined || answers.duration.buckets.length === 0) continue
    const sum = own(sums, version)
    sums[version] = sum === undefined ? answers.duration : combineDurations(sum, answers.duration, 1)
  }
  return sums
}

function combineDurations(a: Durations, b: Durations, sign: 1 | -1): Durations {
  const buckets = sign === 1 ? addBuckets(a.buckets, b.buckets) : subtractBuckets(a.buckets, b.buckets)
  return { sumUs: a.sumUs + sign * b.sumUs, buckets }
}
