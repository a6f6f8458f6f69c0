import { DEFAULT_FABRIC_CONFIG } from '../../src/model/load-fabric-config.ts'
import type { Command } from '../../src/contracts/command.ts'
import type { ListenerStatus, ProxyStatus } from '../../src/contracts/link.ts'
import { hasReached, type Revision } from '../../src/contracts/revision.ts'
import { DEFAULT_LIMITS } from '../../src/contracts/routing.ts'
import type { Certificate } from '../../src/model/certificate.ts'
import type { Release } from '../../src/model/release.ts'
import { apply, type Applied } from '../../src/fabric/apply.ts'
import type { Input } from '../../src/fabric/input.ts'
import { projectAssignments, projectRouting, projectWakeIn } from '../../src/fabric/project.ts'
import { emptyState, NOTHING_OBSERVED, type FabricSettings, type FabricState } from '../../src/fabric/state.ts'
import { Watch } from './invariants.ts'
import { sameJournal, serialise } from './journal.ts'
import { Link } from './link.ts'
import type { SimAgent } from './sim-agent.ts'
import type { SimProxies, SimProxy } from './sim-proxy.ts'
import { SIM_HOOKS, SimTasks } from './sim-tasks.ts'
import type { World } from './world.ts'

const SETTINGS: FabricSettings = {
  vips: null,
  services: {},
  limits: DEFAULT_LIMITS,
  endpointDefaults: DEFAULT_FABRIC_CONFIG.endpointDefaults,
  portRange: { from: 20_000, to: 29_999 },
  sizes: { big: { cores: 2, memoryBytes: 1 } },
  quota: { cores: 40 },
  nodeTimeoutMs: 8000,
  hooks: SIM_HOOKS,
}

/** Says whether the controller dies at its commit number `commit`, and on which side of the disk. */
export type KillPlan = (commit: number) => 'before' | 'after' | null

interface Peer<T> {
  readonly who: T
  readonly link: Link
  /** Revision of the push that has not been answered. */
  outstanding: Revision | null
  stale: boolean
}

class Killed extends Error {}

/** The shell around the rules: input, apply, commit, push; and what it takes to die at a commit and come back. */
export class SimController {
  up = true
  state: FabricState
  commits = 0
  kills = 0
  proxyFamilies: SimProxies[] = []
  agents: SimAgent[] = []
  readonly watch: Watch
  readonly #tasks: SimTasks
  readonly #world: World
  readonly #kill: KillPlan
  readonly #pure: boolean
  #committed: FabricState
  /** Written at every commit where purity is watched, else when it is needed. */
  #journal: string | null = null
  #life = 0
  readonly #proxies = new Map<string, Peer<SimProxy>>()
  readonly #agents = new Map<string, Peer<SimAgent>>()
  readonly #links = new Map<number, Link>()
  #nextLink = 1

  constructor(world: World, kill: KillPlan, pure: boolean) {
    this.#world = world
    this.#kill = kill
    this.#pure = pure
    this.state = emptyState('sim', SETTINGS)
    this.#committed = this.state
    this.watch = new Watch(world, this)
    this.#tasks = new SimTasks(world, (id, report) => {
      this.#input({ kind: 'task-reported', id, report })
    })
  }

  get liveProxies(): SimProxy[] {
    return this.proxyFamilies.flatMap(family => family.lives.filter(life => life.alive))
  }

  // From the operator

  /** The answer of a command, or null where the controller died before it was given. */
  command(command: Command, idempotencyKey: string | null, certificates: readonly Certificate[]): Applied | null {
    if (!this.up) return null
    return this.#input({ kind: 'command', command, idempotencyKey, certificates })
  }

  addRelease(release: Release, certificates: readonly Certificate[]): void {
    this.#input({ kind: 'release-added', release, certificates })
  }

  // From the peers

  connectProxy(proxy: SimProxy): Link {
    const link = new Link(this.#world)
    const { predecessors } = proxy
    link.send(() => {
      this.#proxies.set(proxy.incarnation, { who: proxy, link, outstanding: null, stale: true })
      this.#input({
        kind: 'proxy-connected',
        id: proxy.family.id,
        incarnation: proxy.incarnation,
        bootId: proxy.bootId,
        predecessors,
      })
      this.#pushAll()
    })
    return link
  }

  proxyLinkBroke(proxy: SimProxy, link: Link): void {
    link.open = false
    if (this.#proxies.get(proxy.incarnation)?.link !== link) return
    this.#proxies.delete(proxy.incarnation)
    this.#input({ kind: 'proxy-disconnected', incarnation: proxy.incarnation })
  }

  proxyAcknowledged(
    proxy: SimProxy,
    link: Link,
    revision: Revision,
    listeners: readonly ListenerStatus[],
    status: ProxyStatus,
  ): void {
    const peer = this.#proxies.get(proxy.incarnation)
    if (peer?.link !== link) return
    peer.outstanding = null
    this.#input({ kind: 'proxy-acknowledged', incarnation: proxy.incarnation, revision, listeners, status })
    this.#pushAll()
  }

  proxyStatus(proxy: SimProxy, link: Link, status: ProxyStatus): void {
    if (this.#proxies.get(proxy.incarnation)?.link !== link) return
    this.#input({ kind: 'proxy-status', incarnation: proxy.incarnation, status })
  }

  /** A later life of the proxy saw an earlier one go. */
  proxyExited(incarnation: string): void {
    this.#input({ kind: 'proxy-exited', incarnation })
  }

  connectAgent(agent: SimAgent): number {
    const id = this.#nextLink++
    const link = new Link(this.#world)
    this.#links.set(id, link)
    link.send(() => {
      this.#agents.set(agent.node, { who: agent, link, outstanding: null, stale: true })
      const facts = { cores: 4, memoryBytes: 1, host: '127.0.0.1', faultDomain: null, upgradeDomain: null }
      this.#input({ kind: 'agent-connected', node: agent.node, facts })
      this.#pushAll()
    })
    return id
  }

  agentLinkBroke(agent: SimAgent, id: number): void {
    const link = this.#links.get(id)
    if (link === undefined) return
    link.open = false
    if (this.#agents.get(agent.node)?.link !== link) return
    this.#agents.delete(agent.node)
    this.#input({ kind: 'agent-disconnected', node: agent.node })
  }

  fromAgent(
    agent: SimAgent,
    id: number,
    report: Omit<Extract<Input, { kind: 'agent-observed' }>, 'kind' | 'node'>,
  ): void {
    const link = this.#links.get(id)
    link?.send(() => {
      const peer = this.#agents.get(agent.node)
      if (peer?.link !== link) return
      if (peer.outstanding !== null && hasReached(report.revision, peer.outstanding)) peer.outstanding = null
      this.#input({ kind: 'agent-observed', node: agent.node, ...report })
      this.#pushAll()
    })
  }

  // True state, for checks

  checkStop(target: string): void {
    this.watch.processStops(target)
  }

  checkCut(proxy: SimProxy, target: string, count: number): void {
    this.watch.requestsCut(proxy, target, count)
  }

  processEnded(target: string): void {
    for (const proxy of this.liveProxies) proxy.dropTarget(target)
  }

  // The loop

  #input(input: Input): Applied | null {
    if (!this.up) return null
    try {
      const applied = this.#step(input)
      if (applied.changed) this.#settle()
      this.#wake()
      this.#pushAll()
      this.#tasks.look(this.state)
      return applied
    } catch (thrown) {
      if (!(thrown instanceof Killed)) throw thrown
      this.#die()
      return null
    }
  }

  #settle(): void {
    for (let turn = 0; turn < 20; turn++) if (!this.#step({ kind: 'tick' }).changed) return
    this.#world.fail('ticks go on changing the state')
  }

  #step(input: Input): Applied {
    const now = this.#world.now()
    const before = this.state
    if (this.#pure) deepFreeze(input)
    const applied = apply(before, input, now)
    if (this.#pure) {
      const again = apply(before, input, now)
      if (JSON.stringify(applied) !== JSON.stringify(again)) this.#world.fail(`apply(${input.kind}) gave two answers`)
      deepFreeze(applied.state)
    }
    for (const event of applied.events) {
      this.#world.log(`${event.kind} ${event.operation ?? event.deployment ?? ''} ${event.message}`)
    }
    if (!applied.changed) {
      if (!sameJournal(before, applied.state)) this.#world.fail(`${input.kind} changed what it did not say`)
      this.state = applied.state
      return applied
    }
    this.commits += 1
    const side = this.#kill(this.commits)
    if (side === 'before') throw new Killed()
    this.state = applied.state
    this.#committed = applied.state
    if (this.#pure) this.#journal = serialise(applied.state)
    this.watch.committed(before, applied.state)
    if (side === 'after') throw new Killed()
    for (const peer of [...this.#proxies.values(), ...this.#agents.values()]) peer.stale = true
    return applied
  }

  #pushAll(): void {
    if (!this.up) return
    const { revision } = this.state.fabric
    for (const peer of this.#proxies.values()) {
      if (!peer.stale || peer.outstanding !== null) continue
      peer.stale = false
      peer.outstanding = revision
      const table = projectRouting(this.state, this.#world.now())
      peer.link.send(() => peer.who.receive(table, peer.link))
    }
    if ([...this.#agents.values()].every(peer => !peer.stale || peer.outstanding !== null)) return
    const assignments = projectAssignments(this.state)
    for (const [node, peer] of this.#agents) {
      const assignment = assignments[node]
      if (!peer.stale || peer.outstanding !== null || assignment === undefined) continue
      peer.stale = false
      peer.outstanding = revision
      peer.link.send(() => peer.who.receive(assignment))
    }
  }

  #wake(): void {
    const life = ++this.#life
    const ms = projectWakeIn(this.state, this.#world.now())
    if (ms === null) return
    if (ms <= 0) this.#world.fail('a clock is due that a tick has just looked at')
    this.#world.after(Math.ceil(ms), () => {
      if (this.#life === life) this.#input({ kind: 'tick' })
    })
  }

  /** Dies at once; peers notice; a new one takes over from the journal. */
  #die(): void {
    this.kills += 1
    this.#world.log(`the controller is killed at commit ${this.commits}`)
    this.#shutDown()
    this.#world.after(this.#world.random.between(1, 800), () => this.#comeBack())
  }

  #shutDown(): void {
    this.up = false
    this.#tasks.died()
    this.#life += 1
    for (const link of this.#links.values()) link.open = false
    const peers = [...this.#proxies.values()]
    for (const peer of peers) peer.link.open = false
    this.#links.clear()
    this.#proxies.clear()
    this.#agents.clear()
    for (const proxy of this.liveProxies) proxy.disconnected()
    for (const agent of this.agents) agent.disconnected()
  }

  /** The whole machine restarts: processes, proxies, agents and the controller. */
  reboot(): void {
    this.#world.log('the machine reboots')
    this.#shutDown()
    this.#world.rebooted()
    for (const agent of this.agents) agent.rebooted()
    for (const family of this.proxyFamilies) family.rebooted()
    this.#world.after(this.#world.random.between(1, 300), () => {
      if (!this.up) this.#comeBack()
    })
  }

  #comeBack(): void {
    if (this.up) return
    this.up = true
    const before = this.state
    const journal = this.#journal ?? serialise(this.#committed)
    this.state = { ...(JSON.parse(journal) as Omit<FabricState, 'observed'>), observed: NOTHING_OBSERVED } // its own words
    this.watch.restored(before, this.state)
    const saved = this.state
    this.#input({ kind: 'restored', settings: SETTINGS })
    if (this.up) this.watch.takenOver(saved, this.state)
    for (const proxy of this.liveProxies) proxy.connect()
    for (const agent of this.agents) agent.connect()
  }
}

function deepFreeze(value: unknown): void {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return
  Object.freeze(value)
  for (const inner of Object.values(value)) deepFreeze(inner)
}
