import { compareRevisions } from '../../src/contracts/revision.ts'
import { DRAIN_GRACE_MS, specOf } from '../../src/fabric/instances.ts'
import type { RoutingTable } from '../../src/contracts/routing.ts'
import { leaves } from '../../src/fabric/upgrade/roles.ts'
import { projectAssignments, projectRouting } from '../../src/fabric/project.ts'
import {
  instanceKey,
  processesOf,
  targetKey,
  type DeploymentRecord,
  type FabricState,
  type ProcessRecord,
  type RoleRecord,
} from '../../src/fabric/state.ts'
import { serialise } from './journal.ts'
import type { SimController } from './sim-controller.ts'
import type { SimProxy } from './sim-proxy.ts'
import type { World } from './world.ts'

/** A process of a state with where it belongs. */
export interface Placed {
  readonly key: string
  readonly role: RoleRecord
  readonly instance: ProcessRecord
  /** It is what another stands beside. */
  readonly beside: boolean
}

export function placed(state: FabricState, deployment?: string): Placed[] {
  return Object.values(state.roles)
    .filter(role => deployment === undefined || role.deployment === deployment)
    .flatMap(role =>
      role.instances.flatMap(instance =>
        processesOf(instance).map(process => ({
          key: instanceKey(role.deployment, process),
          role,
          instance: process,
          beside: process !== instance,
        })),
      ),
    )
}

/** What must hold at every commit, and at every effect, whatever happens. */
export class Watch {
  readonly #world: World
  readonly #controller: SimController
  /** Highest incarnation ever of each instance key. */
  readonly #incarnations = new Map<string, number>()
  /** Since when a target drains, and how long it may. */
  readonly #drains = new Map<string, { since: number; allowedMs: number }>()
  /** Incarnations when a deployment's walk began; whether the mode ever let domains overlap. */
  readonly #walks = new Map<string, { before: Map<string, number>; mayOverlap: boolean; downBefore: Set<string> }>()
  /** Instances that had not moved when a rollback began. */
  readonly #unmoved = new Map<string, Map<string, number>>()
  /** Instances that were removed since their deployment's walk began. */
  readonly #removed = new Set<string>()
  #routing = ''

  constructor(world: World, controller: SimController) {
    this.#world = world
    this.#controller = controller
  }

  committed(before: FabricState, after: FabricState): void {
    if (compareRevisions(after.fabric.revision, before.fabric.revision) <= 0) this.#fail('the revision did not grow')
    const earlier = new Map(placed(before).map(entry => [entry.key, entry]))
    const now = placed(after)
    if (new Set(now.map(({ key }) => key)).size !== now.length) this.#fail('an instance is there twice')
    for (const { key, instance } of now) if (instance.next === 'remove') this.#removed.add(key)
    for (const entry of now) {
      this.#place(before, after, entry, earlier.get(entry.key))
      this.#incarnation(entry, earlier.has(entry.key))
      this.#publication(after, entry, earlier.get(entry.key))
      this.#wayDown(entry, earlier.get(entry.key))
    }
    for (const deployment of Object.values(after.deployments)) {
      this.#walk(before.deployments[deployment.id], deployment, after, before)
    }
    this.#operations(before, after)
    this.#slots(after)
  }

  /** A lost node gets nothing it did not have. */
  #place(before: FabricState, after: FabricState, { key, instance }: Placed, earlier: Placed | undefined): void {
    const lost = before.nodes[instance.node]?.lost === true && after.nodes[instance.node]?.lost === true
    if (lost && earlier?.instance.node !== instance.node) this.#fail(`${key} came to lost node ${instance.node}`)
  }

  #incarnation({ key, instance }: Placed, existed: boolean): void {
    const highest = this.#incarnations.get(key)
    if (highest !== undefined && (existed ? instance.incarnation < highest : instance.incarnation <= highest)) {
      this.#fail(`${key} has incarnation ${instance.incarnation} after ${highest}`)
    }
    this.#incarnations.set(key, instance.incarnation)
  }

  /** What enters the table was seen ready, as this start of this process. */
  #publication(state: FabricState, { key, instance }: Placed, before: Placed | undefined): void {
    const { published } = instance
    const earlier = before?.instance
    if (published === null) return
    if (instance.stage !== 'serving' && instance.stage !== 'draining')
      this.#fail(`${key} is ${instance.stage} and in the table`)
    if (published.membership !== 'in' || instance.node === '') return
    const same =
      earlier?.incarnation === instance.incarnation &&
      earlier.published?.attempt === published.attempt &&
      earlier.published.membership === 'in'
    if (same) return
    const seen = state.observed.nodes[instance.node]?.instances[key]
    if (seen?.state !== 'ready' || seen.incarnation !== instance.incarnation || seen.attempt !== published.attempt) {
      this.#fail(`${key}#${instance.incarnation}.${published.attempt} entered the table and was not seen ready`)
    }
  }

  #wayDown({ key, role, instance }: Placed, before: Placed | undefined): void {
    const target = before === undefined ? '' : targetKey(role.deployment, before.instance)
    if (instance.stage === 'draining' && before?.instance.stage !== 'draining') {
      const { drainTimeoutMs } = specOf(role, instance.spec).definition
      this.#drains.set(targetKey(role.deployment, instance), {
        since: this.#world.time,
        allowedMs: drainTimeoutMs + DRAIN_GRACE_MS,
      })
    }
    const left = before?.instance.stage === 'draining' && instance.stage !== 'draining' && instance.stage !== 'serving'
    if (left && !this.#drainOver(target)) {
      for (const proxy of this.#controller.liveProxies) {
        const count = proxy.inFlight.get(target) ?? 0
        if (count > 0) this.#fail(`${target} left the table with ${count} requests in flight on ${proxy.incarnation}`)
      }
    }
    if (instance.stage !== 'stopping' || before?.instance.stage === 'stopping') return
    const prefix = `${key}#${instance.incarnation}.`
    for (const proxy of this.#controller.liveProxies) {
      const held = [...proxy.targets()].find(candidate => candidate.startsWith(prefix))
      if (held !== undefined) this.#fail(`${key} is to stop and ${proxy.incarnation} still has ${held} in its table`)
    }
  }

  #drainOver(target: string): boolean {
    const drain = this.#drains.get(target)
    return drain !== undefined && this.#world.time - drain.since >= drain.allowedMs - 1
  }

  #walk(before: DeploymentRecord | undefined, after: DeploymentRecord, state: FabricState, old: FabricState): void {
    const { upgrade } = after
    const all = placed(state, after.id)
    if (upgrade === null) {
      if (before?.upgrade != null && after.state !== 'deleting') {
        for (const { key, role, instance, beside } of all) {
          if (beside || instance.next === 'remove') continue
          // A drained node's instances may be on their way meanwhile.
          if (instance.spec === role.target && (instance.nextSpec ?? role.target) === role.target) continue
          this.#fail(`the walk of ${after.id} is over and ${key} is on ${instance.spec}, not ${role.target}`)
        }
        for (const [key, incarnation] of this.#unmoved.get(after.id) ?? []) {
          const entry = all.find(candidate => candidate.key === key)
          // A scale beside it may have taken it away, and brought another of its name.
          if (entry === undefined || entry.instance.next === 'remove' || this.#removed.has(key)) continue
          if (entry.instance.incarnation !== incarnation)
            this.#fail(`the rollback restarted ${key}, which had not moved`)
        }
      }
      this.#walks.delete(after.id)
      for (const { key, instance } of all) if (instance.next !== 'remove') this.#removed.delete(key)
      this.#unmoved.delete(after.id)
      return
    }
    const others = Object.values(state.deployments).filter(
      other => other.service === after.service && other.upgrade !== null,
    )
    if (others.length > 1) this.#fail(`service ${after.service} has two walks at a time`)
    if (upgrade.direction === 'back' && before?.upgrade?.direction === 'forward') {
      const still = placed(old, after.id).filter(({ role, instance, beside }) => {
        if (beside) return false
        const from = upgrade.roles[role.name]?.from
        // What the walk had brought goes, what it had begun to take away may have to start anew.
        if (leaves(upgrade, role.name, instance) || instance.next === 'remove') return false
        return from === undefined || (instance.spec === from && instance.stage !== 'stopping')
      })
      this.#unmoved.set(after.id, new Map(still.map(({ key, instance }) => [key, instance.incarnation])))
    }
    // Suspended, everything is restarted; walked on, what had not moved may move.
    if (upgrade.direction === 'forward' || after.state !== 'running') this.#unmoved.delete(after.id)
    // Asked for again, a rollback starts afresh what did not start.
    if (before?.upgrade?.phase === 'halted' && upgrade.phase !== 'halted') this.#unmoved.delete(after.id)
    const known = this.#walks.get(after.id)
    const walk = known ?? {
      before: new Map(placed(old, after.id).map(({ key, instance }) => [key, instance.incarnation])),
      mayOverlap: false,
      downBefore: new Set<string>(),
    }
    this.#walks.set(after.id, walk)
    // Instances of a lost node go to others whatever is walked.
    if (Object.values(state.nodes).some(({ lost }) => lost === true)) {
      walk.mayOverlap = true
      this.#unmoved.delete(after.id)
    }
    for (const { key, instance } of placed(old, after.id)) {
      // Down, and not because of this walk: taken along it brings nothing down.
      const ails =
        instance.hopeless ||
        (instance.next === 'remove' && instance.stage !== 'serving') ||
        (known === undefined && instance.stage !== 'serving')
      if (ails) walk.downBefore.add(key)
      else if (instance.stage === 'serving') walk.downBefore.delete(key)
    }
    if (upgrade.overlap === true) walk.mayOverlap = true
    // Suspended and started again, all are down because of that.
    if (after.state !== 'running')
      for (const { key, instance } of all) if (instance.stage !== 'serving') walk.downBefore.add(key)
    if (upgrade.mode === 'simultaneous' || upgrade.mode.startsWith('unmonitored')) walk.mayOverlap = true
    this.#gate(before, after, state, placed(old, after.id))
    const down = new Set(
      all
        .filter(({ key, instance, beside }) => {
          if (beside) return false
          const restarting =
            instance.stage === 'draining' || instance.stage === 'retiring' || instance.stage === 'stopping'
          if (walk.downBefore.has(key)) return false
          if (restarting) return instance.next === 'restart'
          // What was not there before is more, not less: nothing is down because it starts.
          const moved = instance.incarnation > (walk.before.get(key) ?? instance.incarnation)
          return instance.stage === 'starting' && moved && !(instance.hopeless && upgrade.direction === 'back')
        })
        .map(({ instance }) => instance.upgradeDomain),
    )
    if (down.size > 1 && !walk.mayOverlap)
      this.#fail(`${after.id}: domains ${[...down].join(' and ')} are down together`)
  }

  /** A gated mode leaves a domain only on what was seen since this controller started. `all`: as they were until then. */
  #gate(before: DeploymentRecord | undefined, after: DeploymentRecord, state: FabricState, all: Placed[]): void {
    const [was, is] = [before?.upgrade, after.upgrade]
    if (was == null || is === null || was.direction !== 'forward' || is.direction !== 'forward') return
    if (is.position <= was.position || is.mode.startsWith('unmonitored')) return
    // What went along before its domain's turn, because it was down anyway, is looked at when that comes.
    const walked = is.domains.slice(0, is.position)
    // Scaled away in this very commit.
    const going = placed(state, after.id).filter(({ instance }) => instance.next === 'remove')
    const leaving = new Set(going.map(({ key }) => key))
    for (const { key, role, instance } of all) {
      if (is.roles[role.name]?.to !== instance.spec || instance.next === 'remove') continue
      if (!walked.includes(instance.upgradeDomain) || leaving.has(key)) continue
      // What is not there at the end holds up nothing.
      if (leaves(is, role.name, instance)) continue
      if (state.observed.nodes[instance.node]?.instances[key]?.state === 'ready') continue
      this.#fail(`the walk of ${after.id} went on and ${key} was not seen ready`)
    }
  }

  #operations(before: FabricState, after: FabricState): void {
    if (before.operations === after.operations) return
    for (const [id, operation] of Object.entries(before.operations)) {
      const now = after.operations[id]
      if (operation.endedAt === null || now === operation || now === undefined) continue
      if (JSON.stringify(now) !== JSON.stringify(operation)) this.#fail(`operation ${id} changed after its end`)
    }
  }

  /** Each slot's addresses lead to exactly the deployment in it. */
  #slots(state: FabricState): void {
    const table = projectRouting(state, this.#world.now())
    for (const { key, service, slot, pool } of table.listeners) {
      if (pool === null) continue
      const found = table.pools[pool]
      if (found === undefined) this.#fail(`listener ${key} has no pool ${pool}`)
      if (slot !== null && found?.deployment !== state.services[service]?.slots[slot]) {
        this.#fail(`listener ${key} leads to ${found?.deployment}`)
      }
    }
    this.#certificates(table)
    for (const { name, prepared, slots } of Object.values(state.services)) {
      const moved =
        prepared !== null && (prepared.production !== slots.production || prepared.staging !== slots.staging)
      if (moved) this.#fail(`service ${name} has changed under its prepared swap`)
    }
    for (const role of Object.values(state.roles)) {
      const used = role.instances.flatMap(instance => [instance.spec, instance.nextSpec ?? instance.spec])
      for (const id of [role.target, ...used]) {
        if (role.specs[id] === undefined) this.#fail(`role ${role.deployment}/${role.name} lost spec ${id}`)
      }
    }
  }

  /** Every https address has something to show, and a table holds no key that nothing shows. */
  #certificates(table: RoutingTable): void {
    const shown = new Set<string>()
    for (const { key, protocol, tls } of table.listeners) {
      if ((protocol === 'https') !== (tls !== null))
        this.#fail(`listener ${key} is ${protocol} and has tls ${tls !== null}`)
      if (tls?.certificates.length === 0) this.#fail(`listener ${key} has no certificate`)
      for (const id of tls?.certificates ?? []) {
        shown.add(id)
        if (table.certificates[id] === undefined) this.#fail(`listener ${key} shows ${id}, which is not in the table`)
      }
    }
    for (const id of Object.keys(table.certificates)) if (!shown.has(id)) this.#fail(`nothing shows certificate ${id}`)
  }

  // Around a death

  restored(before: FabricState, saved: FabricState): void {
    if (serialise(before) !== serialise(saved)) this.#fail('what came back is not what was committed')
    this.#routing = this.#shown(before)
  }

  takenOver(saved: FabricState, after: FabricState): void {
    if (Object.keys(saved.proxies).length === 0) return
    if (this.#shown(after) !== this.#routing) this.#fail('taking over changed what the peers are told')
  }

  /** What peers are told, without its age. */
  #shown(state: FabricState): string {
    const text = JSON.stringify([projectRouting(state, this.#world.now()), projectAssignments(state)])
    return text.replaceAll(/"revision":\{[^}]*\}|,"drainMs":\d+/g, '')
  }

  // Effects

  /** An agent is about to stop a process because its assignment says so. */
  processStops(target: string): void {
    for (const proxy of this.#controller.liveProxies) {
      if (proxy.targets().has(target)) this.#fail(`${target} stops while ${proxy.incarnation} has it in its table`)
      const count = proxy.inFlight.get(target) ?? 0
      if (count > 0) this.#fail(`${target} stops with ${count} requests in flight on ${proxy.incarnation}`)
    }
  }

  /** A proxy applied a table without a target that has requests in flight. */
  requestsCut(proxy: SimProxy, target: string, count: number): void {
    if (this.#world.processes.get(target)?.alive !== true || this.#drainOver(target)) return
    this.#fail(`${proxy.incarnation} had to cut ${count} requests on ${target}, which lives`)
  }

  #fail(message: string): void {
    this.#world.fail(message)
  }
}
