import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { MarkView, TrafficSeries, TrafficView } from '../../contracts/traffic.ts'
import type { Clock, Moment } from '../../core/clock.ts'
import { VipswapError } from '../../core/errors.ts'
import { own } from '../../core/own.ts'
import { marksOf } from '../../fabric/marks.ts'
import type { FabricState, MarkRecord } from '../../fabric/state.ts'
import type { Reconciler } from '../reconciler.ts'
import { SecondsRing } from './series.ts'
import { viewWindow, type Reading } from './window.ts'

const SECOND_MS = 1000
/** A count is at most a worker's 50 ms and a holder's 250 ms on its way: what ended before a call is in its answer. */
const ON_THE_WAY_MS = 350

/** The traffic of services over windows between marks, and by the second. */
export interface Traffic {
  /** Rejects with `service_not_found`, `mark_not_found`. `since` null: from where the counts begin. */
  view(service: string, since: string | null): Promise<TrafficView>
  mark(service: string, label: string | null): Promise<MarkView>
  /** Those that were asked for, oldest first. */
  marks(service: string): readonly MarkView[]
  series(service: string, seconds: number, after: number): TrafficSeries
  close(): void
}

/** Begins to sample, once a second. */
export function startTraffic(reconciler: Reconciler, clock: Clock, onTheWayMs = ON_THE_WAY_MS): Traffic {
  const ring = new SecondsRing()
  const sample = (): void => ring.sample(reconciler.state, clock.now().wall)
  sample()
  const timer = setInterval(sample, SECOND_MS).unref()

  const setMark = async (service: string, label: string | null, read: boolean): Promise<MarkRecord> => {
    checkService(reconciler.state, service)
    await delay(onTheWayMs)
    const id = `m-${randomBytes(5).toString('hex')}`
    const { state } = await reconciler.settle({ kind: 'traffic-marked', id, service, label, read })
    const mark = state.marks[id]
    if (mark === undefined) throw new VipswapError('service_not_found', `service "${service}" has gone meanwhile`)
    return mark
  }

  return {
    view: async (service, since) => {
      if (since !== null) findMark(reconciler.state, service, since)
      const end = await setMark(service, null, true)
      // Looked for before as well: a mistake is told at once, and what was there may have been forgotten meanwhile.
      const start = since === null ? beginning(reconciler, service, end.at) : findMark(reconciler.state, service, since)
      return { service, mark: since, next: end.id, ...viewWindow(start, end) }
    },
    mark: async (service, label) => viewMark(await setMark(service, label, false)),
    marks: service => {
      checkService(reconciler.state, service)
      return marksOf(reconciler.state, service).map(viewMark)
    },
    series: (service, seconds, after) => {
      checkService(reconciler.state, service)
      return ring.series(service, seconds, after)
    },
    close: () => clearInterval(timer),
  }
}

/** Counts begin with the proxies that are there; a service's not before the service. */
function beginning(reconciler: Reconciler, service: string, end: Moment): Reading {
  const createdAt = reconciler.state.services[service]?.createdAt ?? end.wall
  const joined = reconciler.events.filter(event => event.kind === 'proxy-joined')
  const since = Object.keys(reconciler.state.proxies).map(
    incarnation => joined.findLast(({ message }) => message.endsWith(` as ${incarnation}`))?.at ?? createdAt,
  )
  const wall = Math.max(createdAt, Math.min(end.wall, ...since))
  // Both moments are of the wall clock alone.
  return { at: { wall, mono: end.mono - (end.wall - wall), bootId: end.bootId }, counts: {} }
}

function checkService(state: FabricState, service: string): void {
  if (own(state.services, service) !== undefined) return
  const known = Object.keys(state.services).join(', ')
  throw new VipswapError('service_not_found', `there is no service "${service}"; there are: ${known || 'none'}`)
}

function findMark(state: FabricState, service: string, id: string): MarkRecord {
  checkService(state, service)
  const mark = own(state.marks, id) ?? marksOf(state, service).findLast(({ label }) => label === id)
  if (mark?.service === service) return mark
  throw new VipswapError(
    'mark_not_found',
    `${service} has no mark "${id}", or it is long past; GET /v1/services/${service}/traffic/marks lists those there are`,
  )
}

function viewMark({ id, at, label }: MarkRecord): MarkView {
  return { mark: id, at: new Date(at.wall).toISOString(), label }
}
