import type { PauseCommand, ResumeCommand } from '../contracts/command.ts'
import type { ListenerPause } from '../contracts/routing.ts'
import type { Moment } from '../core/clock.ts'
import { formatDuration } from '../core/duration.ts'
import { SLOTS, type Slot } from '../model/slot.ts'
import { startAnchor } from './anchor.ts'
import type { Draft } from './draft.ts'
import { requireService } from './lookup.ts'
import { beginOperation } from './operations.ts'
import { refuse } from './refusal.ts'
import type { PauseRecord, ServiceRecord } from './state.ts'

/** Holds what arrives at a slot's addresses, or lets it go: done once every proxy does so. It bars no other change. */
export function acceptPause(draft: Draft, command: PauseCommand | ResumeCommand): string {
  const { kind, service: name, slot } = command
  requireService(draft, name)
  const service = draft.services.edit(name)
  if (service === undefined) refuse('service_not_found', `there is no service "${name}"`)
  const { [slot]: running, ...others } = service.paused ?? {}
  if (kind === 'resume' && running === undefined) refuse('nothing_to_do', `${name} ${slot} is not paused`)
  if (kind === 'pause')
    service.paused = { ...others, [slot]: { since: startAnchor(draft.now), timeoutMs: command.timeoutMs } }
  else setPaused(service, others)
  const how = kind === 'pause' ? ` for at most ${formatDuration(command.timeoutMs)}` : ''
  return beginOperation(draft, {
    kind,
    service: name,
    slot,
    deployments: [],
    step: 'publishing',
    message: `${kind} ${name} ${slot}${how}`,
  }).id
}

/** Ends pauses whose time is over: the proxies have let go by themselves, also without a controller. */
export function advancePauses(draft: Draft): void {
  for (const { name, paused } of draft.services.values()) {
    if (paused === undefined) continue
    for (const slot of SLOTS) {
      const pause = paused[slot]
      if (pause === undefined || leftMs(pause, draft.now) > 0) continue
      const service = draft.services.edit(name)
      if (service === undefined) continue
      const { [slot]: _over, ...others } = service.paused ?? {}
      setPaused(service, others)
      draft.event('pause-ended', `${name} ${slot}: the time of the pause is over`, { service: name, slot })
    }
  }
}

/** What proxies are told of a slot's pause; null where there is none. */
export function projectPause({ paused }: Readonly<ServiceRecord>, slot: Slot, now: Moment): ListenerPause | null {
  const pause = paused?.[slot]
  return pause === undefined ? null : { until: untilOf(pause), leftMs: Math.max(0, leftMs(pause, now)) }
}

/** When a pause is over at the latest, on the wall clock. */
export function untilOf({ since, timeoutMs }: Readonly<PauseRecord>): number {
  return since.wall + timeoutMs
}

/** Milliseconds until a pause of a service is over, or null. */
export function pauseDueInMs({ paused = {} }: Readonly<ServiceRecord>, now: Moment): number | null {
  const left = SLOTS.flatMap(slot => (paused[slot] === undefined ? [] : [leftMs(paused[slot], now)])).filter(
    ms => ms > 0,
  )
  return left.length === 0 ? null : Math.min(...left)
}

/** Under another boot only the wall clock knows. */
function leftMs(pause: Readonly<PauseRecord>, now: Moment): number {
  const { since, timeoutMs } = pause
  if (since.bootId !== now.bootId) return Math.min(timeoutMs, untilOf(pause) - now.wall)
  return timeoutMs - (now.mono - since.mono)
}

function setPaused(service: ServiceRecord, paused: NonNullable<ServiceRecord['paused']>): void {
  if (Object.keys(paused).length === 0) delete service.paused
  else service.paused = paused
}
