import { Counter, Histogram, type Registry } from 'prom-client'
import { FAILURE_REASONS, OPERATION_STATUSES, type OperationStatus } from '../../model/states.ts'
import { specOf } from '../../fabric/instances.ts'
import { processesOf, type FabricEvent, type FabricState } from '../../fabric/state.ts'
import type { OperationRecord } from '../../fabric/operation-record.ts'

const ENDINGS = OPERATION_STATUSES.filter(isFinal)
const SWITCH_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const WALK_SECONDS = [1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 86_400]

function isFinal(status: OperationStatus): boolean {
  return status !== 'InProgress'
}

/** A process on its planned way down. */
interface Draining {
  readonly sinceMono: number
  readonly timeoutMs: number
}

/**
 * Counts what happens, from now on, by comparing each committed state with the one before. A state holds only what is:
 * how often something was, nobody else remembers.
 */
export class History {
  readonly #operations: Counter<'kind' | 'result'>
  readonly #swaps: Counter<'result'>
  readonly #swapSeconds: Histogram
  readonly #upgrades: Counter<'result'>
  readonly #upgradeSeconds: Histogram
  readonly #domains: Counter<'direction'>
  readonly #domainSeconds: Histogram
  readonly #rollbacks: Counter<'cause'>
  readonly #drains: Counter<'result'>
  readonly #drainSeconds: Histogram
  readonly #draining = new Map<string, Draining>()
  /** By deployment and domain: several may be walked at the same time. */
  readonly #walked = new Map<string, { since: number; direction: 'forward' | 'back' }>()
  #before: FabricState

  constructor(registry: Registry, before: FabricState) {
    const registers = [registry]
    const histogram = (name: string, help: string, buckets: number[]): Histogram =>
      new Histogram({ name, help, buckets, registers })
    this.#before = before
    this.#operations = new Counter({
      name: 'vipswap_operations_ended_total',
      help: 'Operations that ended, by kind and result',
      labelNames: ['kind', 'result'],
      registers,
    })
    this.#swaps = new Counter({
      name: 'vipswap_swaps_total',
      help: 'Swaps that ended, by result',
      labelNames: ['result'],
      registers,
    })
    this.#swapSeconds = histogram(
      'vipswap_swap_switch_seconds',
      "Swaps: from the accepted call to the last proxy's acknowledgement of the new table",
      SWITCH_SECONDS,
    )
    this.#upgrades = new Counter({
      name: 'vipswap_upgrades_total',
      help: 'Upgrades that ended, by result; in the manual modes one ends where it is accepted',
      labelNames: ['result'],
      registers,
    })
    this.#upgradeSeconds = histogram('vipswap_upgrade_duration_seconds', 'Upgrades, from start to end', WALK_SECONDS)
    this.#domains = new Counter({
      name: 'vipswap_upgrade_domains_total',
      help: 'Upgrade domains that were walked to their end',
      labelNames: ['direction'],
      registers,
    })
    this.#domainSeconds = histogram(
      'vipswap_upgrade_domain_duration_seconds',
      'One upgrade domain: from going down until it is done',
      WALK_SECONDS,
    )
    this.#rollbacks = new Counter({
      name: 'vipswap_rollbacks_total',
      help: 'Walks that were turned round, by cause: why the upgrade failed, or Interrupted by an operator',
      labelNames: ['cause'],
      registers,
    })
    this.#drains = new Counter({
      name: 'vipswap_drains_total',
      help: 'Instances that were drained: empty in time, at their deadline, or kept after all',
      labelNames: ['result'],
      registers,
    })
    this.#drainSeconds = histogram('vipswap_drain_duration_seconds', 'Drains of instances', WALK_SECONDS)
    // A series that begins with its first event hides that event from rate().
    for (const result of ENDINGS) {
      this.#swaps.inc({ result }, 0)
      this.#upgrades.inc({ result }, 0)
    }
    for (const cause of FAILURE_REASONS) this.#rollbacks.inc({ cause }, 0)
    for (const direction of ['forward', 'back']) this.#domains.inc({ direction }, 0)
    for (const result of ['empty', 'deadline', 'kept']) this.#drains.inc({ result }, 0)
  }

  /** A state was committed, or something was observed; `mono` is the monotonic clock in milliseconds. */
  committed(after: FabricState, mono: number): void {
    const before = this.#before
    this.#before = after
    if (before.operations !== after.operations) this.#compareOperations(before, after)
    if (before.deployments !== after.deployments) this.#compareWalks(before, after)
    if (before.roles !== after.roles) this.#compareDrains(after, mono)
  }

  /** Domains are told by events: a walk that is over is in no state. */
  happened({ kind, deployment, domain, at }: FabricEvent): void {
    if (deployment === undefined || domain === undefined) return
    const key = `${deployment}/${domain}`
    if (kind === 'domain-started') {
      const direction = this.#before.deployments[deployment]?.upgrade?.direction ?? 'forward'
      this.#walked.set(key, { since: at, direction })
    }
    if (kind !== 'domain-ended') return
    const walked = this.#walked.get(key)
    // It began under an earlier controller: nobody knows when.
    if (walked === undefined) return
    this.#walked.delete(key)
    this.#domains.inc({ direction: walked.direction })
    this.#domainSeconds.observe(Math.max(0, at - walked.since) / 1000)
  }

  #compareOperations(before: FabricState, after: FabricState): void {
    for (const operation of Object.values(after.operations)) {
      const old = before.operations[operation.id]
      if (old === operation || !isFinal(operation.status) || (old !== undefined && isFinal(old.status))) continue
      this.#ended(operation)
    }
  }

  #ended({ kind, status: result, startedAt, endedAt, receipt }: OperationRecord): void {
    this.#operations.inc({ kind, result })
    if (kind === 'swap') {
      this.#swaps.inc({ result })
      if (receipt?.switchMs != null) this.#swapSeconds.observe(receipt.switchMs / 1000)
    }
    if (kind === 'upgrade') {
      this.#upgrades.inc({ result })
      this.#upgradeSeconds.observe(Math.max(0, (endedAt ?? startedAt) - startedAt) / 1000)
    }
  }

  #compareWalks(before: FabricState, after: FabricState): void {
    for (const [id, { upgrade }] of Object.entries(after.deployments)) {
      const old = before.deployments[id]?.upgrade ?? null
      if (upgrade?.direction !== 'back' || old === null || old.direction === 'back') continue
      this.#rollbacks.inc({ cause: upgrade.failure?.reason ?? 'Interrupted' })
    }
  }

  #compareDrains(after: FabricState, mono: number): void {
    const seen = new Set<string>()
    for (const role of Object.values(after.roles)) {
      for (const process of role.instances.flatMap(processesOf)) {
        const key = `${role.deployment}/${process.id}#${process.incarnation}`
        if (process.stage === 'draining') {
          seen.add(key)
          if (this.#draining.has(key)) continue
          const { drainTimeoutMs } = specOf(role, process.spec).definition
          this.#draining.set(key, { sinceMono: mono, timeoutMs: drainTimeoutMs })
        } else if (this.#draining.has(key)) {
          seen.add(key)
          this.#drained(key, mono, process.stage === 'serving')
        }
      }
    }
    for (const key of this.#draining.keys()) if (!seen.has(key)) this.#drained(key, mono, false)
  }

  #drained(key: string, mono: number, kept: boolean): void {
    const draining = this.#draining.get(key)
    this.#draining.delete(key)
    if (draining === undefined) return
    const ms = mono - draining.sinceMono
    this.#drains.inc({ result: kept ? 'kept' : ms >= draining.timeoutMs ? 'deadline' : 'empty' })
    this.#drainSeconds.observe(ms / 1000)
  }
}
