import { compareRevisions, type Revision } from '../../src/contracts/revision.ts'
import type { RoutingTable } from '../../src/contracts/routing.ts'
import { waivedProxies } from '../../src/fabric/acknowledgements.ts'
import { specOf } from '../../src/fabric/instances.ts'
import { DRAIN_GRACE_MS } from '../../src/fabric/way-down.ts'
import type { FabricState } from '../../src/fabric/state.ts'
import { targetKey } from '../../src/fabric/keys.ts'
import { brokenOf } from '../../src/model/ledger-row.ts'
import { CapacityWatch } from './capacity-watch.ts'
import { sameJournal, serialise } from './fabric-rules.ts'
import { placed, type Placed } from './placed.ts'
import type { Rule } from './rules.ts'
import type { SimController } from './sim-controller.ts'
import type { SimProxy } from './sim-proxy.ts'
import { TableWatch } from './table-watch.ts'
import { WalkWatch } from './walk-watch.ts'
import type { World } from './world.ts'

/** What must hold at every commit, and at every effect, whatever happens. */
export class Watch {
  readonly #world: World
  readonly #controller: SimController
  /** Highest incarnation ever of each instance key. */
  readonly #incarnations = new Map<string, number>()
  /** Since when a target drains, and how long it may. */
  readonly #drains = new Map<string, { since: number; allowedMs: number }>()
  /** Silent proxies whose word a forced operation did not wait for: nothing is promised of them below that revision. */
  readonly #waived = new Map<string, Revision>()
  readonly #walks: WalkWatch
  readonly #capacity: CapacityWatch
  readonly #tables: TableWatch
  #told = ''

  constructor(world: World, controller: SimController) {
    this.#world = world
    this.#controller = controller
    this.#walks = new WalkWatch(world)
    this.#capacity = new CapacityWatch(world)
    this.#tables = new TableWatch(world)
  }

  committed(before: FabricState, after: FabricState, table: RoutingTable): void {
    if (compareRevisions(after.fabric.revision, before.fabric.revision) <= 0)
      this.#fail('revision grows', 'the revision did not grow')
    this.#waive(before, after)
    if (
      before.roles !== after.roles ||
      before.deployments !== after.deployments ||
      before.nodes !== after.nodes ||
      before.observed !== after.observed
    ) {
      this.#instances(before, after)
    }
    if (before.operations !== after.operations) this.#operations(before, after)
    this.#tables.committed(before, after, table)
  }

  #instances(before: FabricState, after: FabricState): void {
    const was = placed(before)
    const now = placed(after)
    const earlier = new Map(was.map(entry => [entry.key, entry]))
    if (new Set(now.map(({ key }) => key)).size !== now.length)
      this.#fail('instance once', 'an instance is there twice')
    for (const { key, instance } of now) if (instance.next === 'remove') this.#walks.removed(key)
    for (const entry of now) {
      this.#place(before, after, entry, earlier.get(entry.key))
      this.#incarnation(entry, earlier.has(entry.key))
      this.#publication(after, entry, earlier.get(entry.key))
      this.#wayDown(entry, earlier.get(entry.key))
    }
    if (before.nodes !== after.nodes) this.#readmissions(before, after, now)
    for (const deployment of Object.values(after.deployments)) {
      this.#walks.committed(before.deployments[deployment.id], deployment, after, before)
    }
    this.#capacity.committed(before, after)
  }

  /** A lost node is taken back when nothing lives there that was moved away. */
  #readmissions(before: FabricState, after: FabricState, now: readonly Placed[]): void {
    for (const [name, { lost }] of Object.entries(after.nodes)) {
      if (lost === true || before.nodes[name]?.lost !== true) continue
      for (const [target, { alive, key, node }] of this.#world.processes) {
        if (!alive || node !== name) continue
        const rightful = now.some(
          entry =>
            entry.key === key &&
            entry.instance.node === name &&
            target.startsWith(`${key}#${entry.instance.incarnation}.`),
        )
        if (!rightful) this.#fail('lost node', `${name} is taken back while ${target}, moved away, lives there`)
      }
    }
  }

  /** A lost node gets nothing it did not have. */
  #place(before: FabricState, after: FabricState, { key, instance }: Placed, earlier: Placed | undefined): void {
    const lost = before.nodes[instance.node]?.lost === true && after.nodes[instance.node]?.lost === true
    if (lost && earlier?.instance.node !== instance.node)
      this.#fail('lost node', `${key} came to lost node ${instance.node}`)
  }

  #incarnation({ key, instance }: Placed, existed: boolean): void {
    const highest = this.#incarnations.get(key)
    if (highest !== undefined && (existed ? instance.incarnation < highest : instance.incarnation <= highest)) {
      this.#fail('incarnation grows', `${key} has incarnation ${instance.incarnation} after ${highest}`)
    }
    this.#incarnations.set(key, instance.incarnation)
  }

  /** What enters the table was seen ready, as this start of this process. */
  #publication(state: FabricState, { key, instance }: Placed, before: Placed | undefined): void {
    const { published } = instance
    const earlier = before?.instance
    if (published === null) return
    if (instance.stage !== 'serving' && instance.stage !== 'draining')
      this.#fail('ready before traffic', `${key} is ${instance.stage} and in the table`)
    if (published.membership !== 'in' || instance.node === '') return
    const same =
      earlier?.incarnation === instance.incarnation &&
      earlier.published?.attempt === published.attempt &&
      earlier.published.membership === 'in'
    if (same) return
    const seen = state.observed.nodes[instance.node]?.instances[key]
    if (seen?.state !== 'ready' || seen.incarnation !== instance.incarnation || seen.attempt !== published.attempt) {
      this.#fail(
        'ready before traffic',
        `${key}#${instance.incarnation}.${published.attempt} entered the table and was not seen ready`,
      )
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
      for (const proxy of this.#bound()) {
        const count = proxy.inFlight.get(target) ?? 0
        if (count > 0)
          this.#fail('drained before stop', `${target} left with ${count} requests in flight on ${proxy.incarnation}`)
      }
    }
    if (instance.stage !== 'stopping' || before?.instance.stage === 'stopping') return
    const prefix = `${key}#${instance.incarnation}.`
    for (const proxy of this.#bound()) {
      const held = [...proxy.targets()].find(candidate => candidate.startsWith(prefix))
      if (held !== undefined)
        this.#fail('drained before stop', `${key} is to stop and ${proxy.incarnation} still has ${held} in its table`)
    }
  }

  #drainOver(target: string): boolean {
    const drain = this.#drains.get(target)
    return drain !== undefined && this.#world.time - drain.since >= drain.allowedMs - 1
  }

  #operations(before: FabricState, after: FabricState): void {
    for (const [id, operation] of Object.entries(before.operations)) {
      const now = after.operations[id]
      if (operation.endedAt === null || now === operation || now === undefined) continue
      if (JSON.stringify(now) !== JSON.stringify(operation))
        this.#fail('operations end once', `operation ${id} changed after its end`)
    }
    for (const [id, { endedAt, receipt }] of Object.entries(after.operations)) {
      if (endedAt === null || before.operations[id]?.endedAt != null || receipt?.complete !== true) continue
      for (const vip of new Set(receipt.traffic.map(row => row.vip))) {
        const rows = receipt.traffic.filter(row => row.vip === vip)
        const sum = (of: (row: (typeof rows)[number]) => number): number => rows.reduce((all, row) => all + of(row), 0)
        // What was open when it began ends in it, too.
        const ended = sum(row => row.answered + row.refused + row.clientGone + brokenOf(row) + row.open)
        if (ended < sum(row => row.arrived) || rows.some(row => row.arrived < 0 || row.answered < 0 || row.open < 0))
          this.#fail('receipt adds up', `${id}, ${vip}: ${JSON.stringify(rows)}`)
      }
    }
  }

  /** While an operation is forced nothing is promised of who is silent, until that one has heard of the state again. */
  #waive(before: FabricState, after: FabricState): void {
    const forced = Object.values(after.operations)
      // Forced, it may have ended in this very commit.
      .filter(operation => operation.status === 'InProgress' || operation !== before.operations[operation.id])
      .flatMap(operation => [...waivedProxies(operation)])
    for (const incarnation of forced) {
      if (after.observed.proxies[incarnation]?.online !== true) this.#waived.set(incarnation, after.fabric.revision)
    }
  }

  /** Proxies whose word was waited for. */
  #bound(): SimProxy[] {
    return this.#waived.size === 0
      ? this.#controller.liveProxies
      : this.#controller.liveProxies.filter(proxy => !this.#isWaived(proxy))
  }

  /** So is one that began with the table that such a proxy left on disk. */
  #isWaived({ family, applied }: SimProxy): boolean {
    return family.lives.some(({ incarnation }) => {
      const below = this.#waived.get(incarnation)
      return below !== undefined && (applied === null || compareRevisions(applied.revision, below) < 0)
    })
  }

  // Around a death

  restored(before: FabricState, journal: string): void {
    if (serialise(before) !== journal) this.#fail('commit before effect', 'what came back is not what was committed')
    this.#told = this.#shown(before)
  }

  takenOver(saved: FabricState, after: FabricState): void {
    if (Object.keys(saved.proxies).length === 0) return
    if (sameJournal(saved, after)) this.#fail('revision grows', 'taking over did not begin a new term')
    // What was on a node that is given up, or waits for nobody's word any more, goes by a rule's decision that may be due.
    if (Object.values(saved.nodes).some(({ lost }) => lost === true)) return
    if (Object.values(saved.operations).some(({ status, waived }) => status === 'InProgress' && waived !== undefined))
      return
    if (this.#shown(after) !== this.#told)
      this.#fail('restart changes nothing', 'taking over changed what the peers are told')
  }

  /** What peers are told, without its age. A pause that has no time left is none: the proxies have let go by themselves. */
  #shown(state: FabricState): string {
    const { projectRouting, projectAssignments } = this.#controller.rules
    const text = JSON.stringify([projectRouting(state, this.#world.now()), projectAssignments(state)])
    return text
      .replaceAll(/"revision":\{[^}]*\}|,"drainMs":\d+/g, '')
      .replaceAll(/"paused":\{"until":\d+(?:\.\d+)?,"leftMs":0\}/g, '"paused":null')
  }

  // Effects

  /** An agent starts a process. */
  processStarts(key: string, node: string): void {
    const { nodes } = this.#controller.state
    for (const [target, process] of this.#world.processes) {
      if (process.key !== key || !process.alive) continue
      // What was given up by rule is stopped before its node gets anything else.
      if (process.node !== node && (nodes[process.node]?.lost === true || nodes[node]?.lost === true)) continue
      this.#fail('process once', `${key} starts on ${node} while ${target} lives on ${process.node}`)
    }
  }

  /** An agent is about to stop a process because its assignment says so. */
  processStops(target: string): void {
    for (const proxy of this.#bound()) {
      if (proxy.targets().has(target))
        this.#fail('drained before stop', `${target} stops while ${proxy.incarnation} has it in its table`)
      const count = proxy.inFlight.get(target) ?? 0
      if (count > 0)
        this.#fail('drained before stop', `${target} stops with ${count} requests in flight on ${proxy.incarnation}`)
    }
  }

  /** A proxy sends a request to a target of its table. */
  requestSent(proxy: SimProxy, target: string): void {
    const process = this.#world.processes.get(target)
    if (process === undefined)
      this.#fail('no traffic to the stopped', `a request was sent to ${target}, which never was`)
    if (process.stoppedAsPlanned && !this.#isWaived(proxy))
      this.#fail('no traffic to the stopped', `a request was sent to ${target}, which was stopped as planned`)
  }

  /** A proxy applied a table without a target that has requests in flight. */
  requestsCut(proxy: SimProxy, target: string, count: number): void {
    if (this.#world.processes.get(target)?.alive !== true || this.#drainOver(target)) return
    if (this.#isWaived(proxy)) return
    this.#fail('requests not cut', `${proxy.incarnation} had to cut ${count} requests on ${target}, which lives`)
  }

  #fail(rule: Rule, message: string): never {
    this.#world.fail(rule, message)
  }
}
