import { DEFAULT_FABRIC_CONFIG } from '../../../src/model/load-fabric-config.ts'
import type { AssignedInstance, InstanceObservation } from '../../../src/contracts/assignment.ts'
import type { Command } from '../../../src/contracts/command.ts'
import type { LedgerRow } from '../../../src/contracts/ledger.ts'
import type { ListenerStatus, NodeFacts } from '../../../src/contracts/link.ts'
import { DEFAULT_LIMITS, type Listener, type RoutingTable, type Target } from '../../../src/contracts/routing.ts'
import type { Moment } from '../../../src/core/clock.ts'
import type { Certificate } from '../../../src/model/certificate.ts'
import type { Slot } from '../../../src/model/slot.ts'
import type { Release } from '../../../src/model/release.ts'
import { apply, type Applied } from '../../../src/fabric/apply.ts'
import type { Refusal } from '../../../src/fabric/refusal.ts'
import type { Input } from '../../../src/fabric/input.ts'
import { projectWakeIn } from '../../../src/fabric/wake.ts'
import { projectAssignments } from '../../../src/fabric/project-assignments.ts'
import { projectRouting } from '../../../src/fabric/project-routing.ts'
import {
  emptyState,
  type DeploymentRecord,
  type FabricEvent,
  type FabricSettings,
  type FabricState,
  type InstanceRecord,
} from '../../../src/fabric/state.ts'
import { NOTHING_OBSERVED } from '../../../src/fabric/observed.ts'
import type { OperationRecord } from '../../../src/fabric/operation-record.ts'

type Seen = Partial<InstanceObservation> | null

/** A fabric on the bench: peers that do at once, and only when told to, what the state asks of them. */
export class Lab {
  readonly settings: FabricSettings = {
    vips: null,
    services: {},
    limits: DEFAULT_LIMITS,
    endpointDefaults: DEFAULT_FABRIC_CONFIG.endpointDefaults,
    portRange: { from: 20_000, to: 29_999 },
    sizes: {},
    quota: null,
    nodeTimeoutMs: 86_400_000,
  }
  state: FabricState
  ms = 0
  boot = 'boot-1'
  readonly events: FabricEvent[] = []
  /** What an agent says of an instance that is to run; null: nothing. Default: ready. */
  seen: (instance: AssignedInstance) => Seen = () => ({})
  /** What an agent finds of what it does not run. */
  frontedState: 'ready' | 'starting' | 'unresponsive' = 'ready'
  inFlight: Record<string, number> = {}
  rows: LedgerRow[] = []
  readonly takenPorts = new Set<number>()
  readonly packageErrors: Record<string, string> = {}
  proxies = ['p1']

  constructor(releases: readonly Release[], nodes: readonly string[] = ['n1', 'n2']) {
    this.state = emptyState('lab', this.settings)
    for (const release of releases) this.input({ kind: 'release-added', release })
    for (const node of nodes) this.connectAgent(node)
    for (const proxy of this.proxies) this.connectProxy(proxy)
  }

  get now(): Moment {
    return { wall: 1_000_000 + this.ms, mono: this.ms, bootId: this.boot }
  }

  input(input: Input): Applied {
    const applied = apply(this.state, input, this.now)
    this.state = applied.state
    this.events.push(...applied.events)
    for (let turn = 0; applied.changed && turn < 20; turn++) {
      const tick = apply(this.state, { kind: 'tick' }, this.now)
      this.state = tick.state
      this.events.push(...tick.events)
      if (!tick.changed) break
    }
    return applied
  }

  connectAgent(node: string, said: Partial<NodeFacts> = {}): void {
    const facts = {
      cores: 64,
      memoryBytes: 2 ** 36,
      host: '127.0.0.1',
      faultDomain: null,
      upgradeDomain: null,
      ...said,
    }
    this.input({ kind: 'agent-connected', node, facts })
  }

  connectProxy(incarnation: string, predecessors: readonly { incarnation: string; exited: boolean }[] = []): void {
    this.input({ kind: 'proxy-connected', id: 'proxy', incarnation, bootId: this.boot, predecessors })
  }

  /** The operation of an accepted command; throws where it is refused. */
  accept(command: Command, key: string | null = null, certificates: readonly Certificate[] = []): string {
    const { operation, refusal } = this.input({ kind: 'command', command, idempotencyKey: key, certificates })
    if (operation === null) throw new Error(`refused: ${refusal?.code}: ${refusal?.message}`)
    return operation
  }

  /** Codes of everything that speaks against a command; throws where it is accepted or changes something. */
  refused(command: Command, key: string | null = null): string[] {
    return this.refusal(command, key).blockers.map(({ code }) => code)
  }

  /** As `refused`, with its words. */
  refusal(command: Command, key: string | null = null, certificates: readonly Certificate[] = []): Refusal {
    const before = this.state
    const { refusal } = this.input({ kind: 'command', command, idempotencyKey: key, certificates })
    if (refusal === null) throw new Error(`accepted: ${JSON.stringify(command)}`)
    if (this.state !== before) throw new Error('a refusal changed the state')
    return refusal
  }

  listener(key: string): Listener {
    const found = this.routing().listeners.find(listener => listener.key === key)
    if (found === undefined) throw new Error(`no listener ${key}`)
    return found
  }

  routing(): RoutingTable {
    return projectRouting(this.state, this.now)
  }

  /** One proxy, or each, applies the newest table. */
  acknowledge(proxies: readonly string[] = this.proxies): void {
    for (const incarnation of proxies) {
      const { revision, listeners } = this.routing()
      const said: ListenerStatus[] = listeners.map(({ key, port }) => {
        const taken = this.takenPorts.has(port)
        return { key, port: taken ? null : port || 30_000, error: taken ? `EADDRINUSE: ${port} is in use` : null }
      })
      const status = { revision, inFlight: this.inFlight, ledger: { incarnation, rows: this.rows } }
      this.input({ kind: 'proxy-acknowledged', incarnation, revision, listeners: said, status })
    }
  }

  /** One node's agent, or each, has done what its newest assignment says, and reports. */
  report(nodes: readonly string[] = Object.keys(this.state.nodes)): void {
    for (const node of nodes) {
      const assignment = projectAssignments(this.state)[node]
      if (assignment === undefined) continue
      const instances = assignment.instances.flatMap(instance => {
        if (instance.desired === 'stop') return observation(instance, { state: 'stopped' })
        const seen = this.seen(instance)
        return seen === null ? [] : observation(instance, seen)
      })
      for (const { key, incarnation, version, host, ports } of assignment.fronted ?? []) {
        const common = {
          key,
          incarnation,
          version,
          host,
          ports,
          attempt: 1,
          pid: null,
          restarts: 0,
          since: 0,
          detail: '',
        }
        instances.push({ ...common, state: this.frontedState })
      }
      this.input({
        kind: 'agent-observed',
        node,
        revision: assignment.revision,
        instances,
        packages: assignment.packages.filter(digest => this.packageErrors[digest] === undefined),
        packageErrors: this.packageErrors,
      })
    }
  }

  /** Acknowledgements and reports until nothing follows from them. */
  settle(): void {
    for (let turn = 0; turn < 200; turn++) {
      const before = this.state.fabric.revision
      this.acknowledge()
      this.report()
      if (before === this.state.fabric.revision) return
    }
    throw new Error('it does not come to rest')
  }

  /** Time passes, then a tick. */
  pass(ms: number): void {
    this.ms += ms
    this.input({ kind: 'tick' })
  }

  /** Time passes as under a controller: a tick whenever a clock is due. */
  flow(ms: number): void {
    const end = this.ms + ms
    while (this.ms < end) this.pass(Math.min(projectWakeIn(this.state, this.now) ?? Infinity, end - this.ms))
  }

  /** The controller dies and another takes over; nobody has reported yet. */
  restart(): void {
    const { observed: _lost, ...journal } = this.state
    const text = JSON.stringify(journal)
    this.state = { ...(JSON.parse(text) as Omit<FabricState, 'observed'>), observed: NOTHING_OBSERVED } // its own words
    this.input({ kind: 'restored', settings: this.settings })
  }

  // Looking

  deployment(slot: Slot = 'production', service = 'shop'): DeploymentRecord {
    const found = this.state.deployments[this.state.services[service]?.slots[slot] ?? '']
    if (found === undefined) throw new Error(`nothing in ${slot}`)
    return found
  }

  instances(slot: Slot = 'production', service = 'shop'): InstanceRecord[] {
    const { id } = this.deployment(slot, service)
    return Object.values(this.state.roles)
      .filter(role => role.deployment === id)
      .flatMap(role => role.instances)
  }

  instance(id: string, slot: Slot = 'production'): InstanceRecord {
    const found = this.instances(slot).find(instance => instance.id === id)
    if (found === undefined) throw new Error(`no instance ${id}`)
    return found
  }

  /** `web_IN_0:serving` … */
  stages(slot: Slot = 'production'): string {
    return this.instances(slot)
      .map(({ id, stage }) => `${id.replace('_IN_', '')}:${stage}`)
      .join(' ')
  }

  /** Version each instance is on, in their order. */
  versions(slot: Slot = 'production'): string {
    const { id } = this.deployment(slot)
    return Object.values(this.state.roles)
      .filter(role => role.deployment === id)
      .flatMap(role => role.instances.map(instance => role.specs[instance.spec]?.version ?? '?'))
      .join(' ')
  }

  operation(id: string): OperationRecord {
    const found = this.state.operations[id]
    if (found === undefined) throw new Error(`no operation ${id}`)
    return found
  }

  target(instance: string, slot: Slot = 'production'): Target | undefined {
    const { id } = this.deployment(slot)
    const pools = Object.values(this.routing().pools).filter(pool => pool.deployment === id)
    return pools.flatMap(pool => pool.targets).find(target => target.instance === instance)
  }

  desired(instance: string): string | undefined {
    return Object.values(projectAssignments(this.state))
      .flatMap(assignment => assignment.instances)
      .filter(assigned => assigned.instance === instance)
      .map(assigned => `${assigned.desired} ${assigned.incarnation} ${assigned.spec.version}`)[0]
  }
}

function observation(instance: AssignedInstance, seen: Partial<InstanceObservation>): InstanceObservation {
  return {
    key: instance.key,
    incarnation: instance.incarnation,
    ...(instance.spec.id === undefined ? {} : { spec: instance.spec.id }),
    attempt: 1,
    state: 'ready',
    version: instance.spec.version,
    host: '127.0.0.1',
    ports: Object.fromEntries(instance.spec.endpoints.map(({ name }) => [name, 20_000 + instance.index])),
    pid: 1,
    restarts: 0,
    since: 0,
    detail: '',
    ...seen,
  }
}
