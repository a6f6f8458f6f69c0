import type { HookEvent } from '../../model/hooks.ts'
import type { ErrorCode } from '../../core/errors.ts'
import { allAcknowledged, waivedProxies } from '../acknowledgements.ts'
import type { Draft } from '../draft.ts'
import { askHook, type HookAsk } from '../hooks/ask.ts'
import { isReady, specOf } from '../instances.ts'
import { endOperation, enterStep } from '../operations.ts'
import { configurationFor } from '../slot-settings/values.ts'
import { targetKey, type ServiceRecord } from '../state.ts'
import type { OperationRecord, SwapProgress } from '../operation-record.ts'
import { beginTask, tasksOf } from '../tasks.ts'
import { definitionsOf, targetsOf } from '../verify/targets.ts'
import { noteTraffic, trafficOf, type Traffic } from '../verify/traffic.ts'
import { giveBack, restoreCandidate } from './restore-candidate.ts'
import { swapPreflight } from './swap.ts'

type Fault = { code: ErrorCode; message: string }
type Swap = OperationRecord & { swap: SwapProgress }

/**
 * Steps of a swap: settings → warming → checking → (prepared: the end of `prepare`) → pre-swap → probing → publishing →
 * verifying → post-swap. Each is left when what it waits for is in the state, so a controller that takes over goes on
 * where the last one was. Until the exchange a failure leaves the slots as they are and gives the candidate its values
 * back; after it only a lost request exchanges them again.
 */
export function advanceSwap(draft: Draft, id: string): void {
  // One step leads to the next within one change, as far as nothing must be waited for.
  for (let turn = 0; turn < 20; turn++) {
    const operation = draft.operations.edit(id)
    const service = draft.services.get(operation?.service ?? '')
    if (operation === undefined || operation.status !== 'InProgress' || service === undefined) return
    // Begun by a version that knew none of the steps: the slots were exchanged when it was accepted.
    operation.swap ??= legacy(operation)
    if (!step(draft, { ...operation, swap: operation.swap }, service)) return
  }
}

function legacy({ startedMono }: Readonly<OperationRecord>): SwapProgress {
  return { phase: 'swap', verify: false, walk: null, restore: null, exchangedMono: startedMono, failure: null }
}

/** One step forward; false when something must be waited for, or the operation has ended. */
function step(draft: Draft, operation: Swap, service: Readonly<ServiceRecord>): boolean {
  const { swap, id } = operation
  const to = (name: string): true => {
    enterStep(draft, id, name)
    return true
  }
  switch (operation.step) {
    case 'settings': {
      const walk = swap.walk === null ? undefined : draft.operations.get(swap.walk)
      if (walk?.status === 'InProgress') return false
      if (walk !== undefined && walk.status !== 'Succeeded') {
        const message = `the settings of the slot could not be given to ${service.slots.staging ?? 'it'}: ${walk.error?.message ?? walk.status}`
        return fail(draft, operation, { code: walk.error?.code ?? 'start_failed', message })
      }
      if (swap.phase !== 'cancel') return to('warming')
      endOperation(draft, id, 'Succeeded')
      return false
    }
    case 'warming': {
      const warm = warmed(draft, operation, service)
      if (warm.kind === 'fail') return fail(draft, operation, warm.fault)
      return warm.kind === 'go' && to('checking')
    }
    case 'checking': {
      const [blocker] = swapPreflight(draft, service, id).blockers
      if (blocker !== undefined) return fail(draft, operation, blocker)
      if (swap.phase !== 'prepare') return to('pre-swap')
      hold(draft, operation)
      return false
    }
    case 'pre-swap': {
      const answer = askHook(draft, askOf(draft, operation, 'pre-swap'))
      if (answer.kind === 'fail') return fail(draft, operation, { code: 'hook_failed', message: answer.message })
      return answer.kind === 'go' && to('probing')
    }
    case 'probing': {
      const traffic = probe(draft, operation, service, 'before')
      if (traffic.kind === 'lost') {
        const message = `before anything was changed: ${traffic.message}`
        return fail(draft, operation, { code: 'verify_failed', message })
      }
      return traffic.kind === 'go' && exchange(draft, operation, service)
    }
    case 'publishing':
      if (!allAcknowledged(draft, operation.since, waivedProxies(operation))) return false
      published(draft, operation)
      return swap.failure === null ? to('verifying') : undone(draft, operation, swap.failure)
    case 'verifying': {
      const traffic = probe(draft, operation, service, 'after')
      if (traffic.kind === 'lost') return undo(draft, operation, traffic.message)
      if (traffic.kind === 'wait') return false
      noteTraffic(draft, id)
      return to('post-swap')
    }
    case 'post-swap': {
      const answer = askHook(draft, askOf(draft, operation, 'post-swap'))
      if (answer.kind === 'wait') return false
      settle(draft, operation)
      if (answer.kind === 'go') endOperation(draft, id, 'Succeeded')
      else {
        const message = `${answer.message}; the slots are exchanged: \`vipswap swap\` exchanges them back`
        endOperation(draft, id, 'Failed', { code: 'hook_failed', message })
      }
      return false
    }
    default:
      return false
  }
}

type Warmth = { readonly kind: 'go' } | { readonly kind: 'wait' } | { readonly kind: 'fail'; readonly fault: Fault }

/** All that was restarted is up again, and every ready instance answered its `warmUp` requests as the process it is now. */
function warmed(draft: Draft, operation: Swap, service: Readonly<ServiceRecord>): Warmth {
  const candidate = service.slots.staging
  if (candidate === null) return { kind: 'go' }
  let waiting = false
  const tasks = tasksOf(draft, operation.id)
  for (const role of draft.rolesOf(candidate)) {
    for (const instance of role.instances) {
      if (instance.next === 'remove') continue
      if (!isReady(instance)) {
        if (operation.swap.walk === null) continue
        if (instance.hopeless) {
          const message = `${instance.id} of ${candidate} did not start with production's settings (\`vipswap logs ${instance.id} --slot staging\`)`
          return { kind: 'fail', fault: { code: 'start_failed', message } }
        }
        waiting = true
        continue
      }
      const { warmUp = [] } = specOf(role, instance.spec).definition
      if (warmUp.length === 0 || instance.published === null) continue
      const { host, ports } = instance.published
      const name = `warm/${targetKey(candidate, instance)}`
      const task = tasks.get(name)
      if (task?.outcome?.ok === false) {
        const message = `${instance.id} of ${candidate}: ${task.outcome.detail}`
        return { kind: 'fail', fault: { code: 'warm_up_failed', message } }
      }
      waiting ||= task?.outcome == null
      if (task !== undefined) continue
      const authority = host.includes(':') ? `[${host}]` : host
      beginTask(draft, {
        operation: operation.id,
        service: service.name,
        deployment: candidate,
        name,
        owner: 'operation',
        work: {
          kind: 'warm',
          instance: instance.id,
          requests: warmUp.map(({ endpoint, path, accept, timeoutMs }) => ({
            url: `http://${authority}:${ports[endpoint] ?? 0}${path}`,
            host: service.hostNames.production,
            accept,
            timeoutMs,
          })),
        },
      })
    }
  }
  return waiting ? { kind: 'wait' } : { kind: 'go' }
}

/** The end of `prepare`: nothing else is taken until it is committed or cancelled. */
function hold(draft: Draft, { id, service, swap }: Swap): void {
  const record = draft.services.edit(service)
  if (record !== undefined) {
    record.prepared = { operation: id, ...record.slots, ...(swap.restore === null ? {} : { restore: swap.restore }) }
  }
  endOperation(draft, id, 'Succeeded')
}

/** The exchange is this one change of state: all endpoints of both slots together. */
function exchange(draft: Draft, operation: Swap, { name }: Readonly<ServiceRecord>): boolean {
  const service = draft.services.edit(name)
  if (service === undefined) return false
  const [blocker] = swapPreflight(draft, service, operation.id).blockers
  if (blocker !== undefined) return fail(draft, operation, blocker)
  service.slots = { production: service.slots.staging, staging: service.slots.production }
  service.prepared = null
  operation.swap.exchangedMono = draft.now.mono
  publish(draft, operation, service)
  return true
}

/** The slots as they are now go to every proxy; the same step may be entered for the second time. */
function publish(draft: Draft, { id }: Swap, { slots }: Readonly<ServiceRecord>): void {
  const record = draft.operations.edit(id)
  if (record === undefined) return
  record.to = { ...slots }
  record.step = 'publishing'
  record.since = draft.revision
}

function published(draft: Draft, { id, service, to, swap }: Swap): void {
  const record = draft.operations.edit(id)
  if (record === undefined) return
  const switchMs = Math.max(0, draft.now.mono - (swap.exchangedMono ?? draft.now.mono))
  if (swap.failure === null) record.receipt = { complete: false, note: null, traffic: [], domains: [], switchMs }
  const back = swap.failure === null ? '' : 'back: '
  const message = `${back}production is ${to['production'] ?? 'empty'}, staging is ${to['staging'] ?? 'empty'}`
  draft.event('swapped', message, { service, operation: id })
}

/** The first loss: callers go back to what served them before, whatever else is to be said of it. */
function undo(draft: Draft, operation: Swap, reason: string): boolean {
  const service = draft.services.edit(operation.service)
  if (service === undefined) return false
  const message = `swapped back: ${reason}`
  operation.swap.failure = { code: 'verify_failed', message }
  draft.event('verify-failed', message, { service: service.name, operation: operation.id })
  service.slots = { production: service.slots.staging, staging: service.slots.production }
  publish(draft, operation, service)
  return true
}

function undone(draft: Draft, operation: Swap, error: Fault): boolean {
  askHook(draft, { ...askOf(draft, operation, 'on-rollback'), owner: 'nobody' })
  endOperation(draft, operation.id, 'RolledBack', error)
  restoreCandidate(draft, operation.service, operation.swap.restore)
  return false
}

/** Before the exchange: the slots are as they were. A prepared swap stays prepared where only its commit failed. */
function fail(draft: Draft, operation: Swap, { code, message }: Fault): boolean {
  endOperation(draft, operation.id, 'Failed', { code, message })
  if (operation.swap.phase !== 'commit') restoreCandidate(draft, operation.service, operation.swap.restore)
  return false
}

/** After a swap that stays: what left production takes staging's values, off traffic, domain by domain. */
function settle(draft: Draft, { from, swap }: Swap): void {
  const [outgoing, incoming] = [from['production'] ?? null, from['staging'] ?? null]
  if (outgoing === null || draft.deployments.get(outgoing) === undefined) return
  const stays = swap.restore ?? draft.deployments.get(incoming ?? '')?.configuration ?? null
  giveBack(draft, outgoing, configurationFor(draft, outgoing, stays))
}

function probe(draft: Draft, operation: Swap, service: Readonly<ServiceRecord>, phase: 'before' | 'after'): Traffic {
  const [outgoing, incoming] = [operation.from['production'] ?? null, operation.from['staging'] ?? null]
  if (!operation.swap.verify || incoming === null) return { kind: 'go' }
  // With nothing in production there is nobody to lose before the exchange.
  if (phase === 'before' && outgoing === null) return { kind: 'go' }
  const deployment = phase === 'before' ? (outgoing ?? incoming) : incoming
  const also = phase === 'before' && outgoing !== null ? definitionsOf(draft, outgoing) : null
  const place = { service, slot: 'production', deployment } as const
  return trafficOf(draft, {
    operation: operation.id,
    service: service.name,
    slot: 'production',
    deployment: null,
    owner: 'operation',
    phase,
    targets: targetsOf(draft, place, definitionsOf(draft, incoming), also, phase === 'before' ? 'few' : 'each'),
  })
}

function askOf(draft: Draft, { id, service, from }: Swap, event: HookEvent): HookAsk {
  const versionOf = (deployment: string | null | undefined): string | null =>
    draft.deployments.get(deployment ?? '')?.version ?? null
  const [before, after] = [versionOf(from['production']), versionOf(from['staging'])]
  const back = event === 'on-rollback'
  return {
    event,
    owner: 'operation',
    facts: {
      operation: id,
      kind: 'swap',
      service,
      slot: 'production',
      deployment: (back ? from['production'] : from['staging']) ?? null,
      domain: null,
      fromVersion: back ? after : before,
      toVersion: back ? before : after,
    },
  }
}
