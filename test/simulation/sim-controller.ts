import type { Assignment } from '../../src/contracts/assignment.ts'
import type { Command } from '../../src/contracts/command.ts'
import type { FromAgent, FromProxy, ProxyHello } from '../../src/contracts/link.ts'
import { compareRevisions, type Revision } from '../../src/contracts/revision.ts'
import type { RoutingTable } from '../../src/contracts/routing.ts'
import { LatestPush } from '../../src/controller/links/push.ts'
import type { Applied } from '../../src/fabric/apply.ts'
import type { HealthReported, Input, Observation } from '../../src/fabric/input.ts'
import { emptyState, type FabricState } from '../../src/fabric/state.ts'
import { NOTHING_OBSERVED } from '../../src/fabric/observed.ts'
import type { Certificate } from '../../src/model/certificate.ts'
import type { Release } from '../../src/model/release.ts'
import { sameJournal, type FabricRules } from './fabric-rules.ts'
import type { Link } from './link.ts'
import { assertPure, deepFreeze } from './pure.ts'
import { SETTINGS, nodeFacts } from './settings.ts'
import type { SimAgent } from './sim-agent.ts'
import type { SimProxies, SimProxy } from './sim-proxy.ts'
import { SimTasks } from './sim-tasks.ts'
import { Watch } from './watch.ts'
import type { Prng } from './prng.ts'
import type { World } from './world.ts'

/** On which side of the disk the controller dies at its commit number `commit`; null: it does not. */
export type KillPlan = (commit: number) => Side | null
export type Side = 'before' | 'after'

interface Peer<W, T extends { readonly revision: Revision }> {
  readonly who: W
  readonly link: Link
  readonly push: LatestPush<T>
}

interface Projected {
  readonly table: RoutingTable
  readonly tableContent: string
  readonly assignments: ReadonlyMap<string, { readonly assignment: Assignment; readonly content: string }>
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
  readonly rules: FabricRules
  readonly watch: Watch
  readonly #tasks: SimTasks
  readonly #world: World
  readonly #dice: Prng
  readonly #killPlan: KillPlan | null
  readonly #pure: boolean
  /** Set by fate. */
  #dieAt: { commit: number; side: Side } | null = null
  #committed: FabricState
  #life = 0
  #projected: Projected | null = null
  /** Turns of its loop take a while, so that what is said meanwhile is folded in together. */
  readonly #busy: boolean
  #heard: Observation[] = []
  readonly #proxies = new Map<string, Peer<SimProxy, RoutingTable>>()
  readonly #agents = new Map<string, Peer<SimAgent, Assignment>>()
  readonly #links = new Set<Link>()

  constructor(world: World, rules: FabricRules, options: { kill: KillPlan | null; pure: boolean }) {
    this.#world = world
    this.#dice = world.dice('controller')
    this.rules = rules
    this.#killPlan = options.kill
    this.#busy = this.#dice.chance(0.4)
    this.#pure = options.pure
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

  // From the operator, and from fate

  /** The answer of a command, or null where the controller died before it was given. */
  command(command: Command, idempotencyKey: string | null, certificates: readonly Certificate[]): Applied | null {
    return this.#input({ kind: 'command', command, idempotencyKey, certificates })
  }

  reportHealth(report: HealthReported): Applied | null {
    return this.#input(report)
  }

  addRelease(release: Release, certificates: readonly Certificate[]): void {
    this.#input({ kind: 'release-added', release, certificates })
  }

  /** It dies at one of its next commits. */
  killSoon(commits: number, side: Side): void {
    this.#dieAt = { commit: this.commits + commits, side }
  }

  // From the peers

  /** A connection is made: from now on it is told when the controller goes. */
  accepted(link: Link): void {
    if (this.up) this.#links.add(link)
    else link.dropByController(0)
  }

  proxyHello(proxy: SimProxy, link: Link, hello: ProxyHello): void {
    const { id, incarnation, bootId, applied, predecessors } = hello
    this.#seeTerm(applied)
    this.#proxies.get(incarnation)?.link.dropByController(this.#dice.between(0, 20))
    const push = new LatestPush<RoutingTable>(table => link.toPeer.send(() => proxy.receive(table, link)))
    this.#proxies.set(incarnation, { who: proxy, link, push })
    this.#input({ kind: 'proxy-connected', id, incarnation, bootId, predecessors })
  }

  fromProxy({ incarnation }: SimProxy, link: Link, message: FromProxy): void {
    const peer = this.#proxies.get(incarnation)
    if (peer?.link !== link) return
    const { push } = peer
    if (message.type === 'ack') {
      const revision = push.acknowledge(message.revision)
      const status = { ...message.status, revision: push.covered(message.status.revision) }
      this.#hear({ kind: 'proxy-acknowledged', incarnation, revision, listeners: message.listeners, status })
    } else if (message.type === 'status') {
      const status = { ...message.status, revision: push.covered(message.status.revision) }
      this.#hear({ kind: 'proxy-status', incarnation, status })
    } else if (message.type === 'predecessor' && message.exited) {
      this.#input({ kind: 'proxy-exited', incarnation: message.incarnation })
    }
  }

  proxyClosed({ incarnation }: SimProxy, link: Link): void {
    this.#links.delete(link)
    if (this.#proxies.get(incarnation)?.link !== link) return
    this.#proxies.delete(incarnation)
    this.#input({ kind: 'proxy-disconnected', incarnation })
  }

  agentHello(agent: SimAgent, link: Link, applied: Revision | null): void {
    this.#seeTerm(applied)
    this.#agents.get(agent.node)?.link.dropByController(this.#dice.between(0, 20))
    const push = new LatestPush<Assignment>(assignment => link.toPeer.send(() => agent.receive(assignment)))
    this.#agents.set(agent.node, { who: agent, link, push })
    this.#input({ kind: 'agent-connected', node: agent.node, facts: nodeFacts(agent.upgradeDomain) })
  }

  fromAgent({ node }: SimAgent, link: Link, message: Extract<FromAgent, { type: 'observed' }>): void {
    const peer = this.#agents.get(node)
    if (peer?.link !== link) return
    const { instances, packages, packageErrors } = message
    const revision = message.revision === null ? null : peer.push.acknowledge(message.revision)
    this.#hear({ kind: 'agent-observed', node, revision, instances, packages, packageErrors })
  }

  agentClosed({ node }: SimAgent, link: Link): void {
    this.#links.delete(link)
    if (this.#agents.get(node)?.link !== link) return
    this.#agents.delete(node)
    this.#input({ kind: 'agent-disconnected', node })
  }

  #seeTerm(applied: Revision | null): void {
    if (applied !== null && applied.term > this.state.fabric.revision.term)
      this.#input({ kind: 'term-seen', term: applied.term })
  }

  /** A process is gone: its connections are reset. */
  processEnded(target: string): void {
    for (const proxy of this.liveProxies) proxy.dropTarget(target)
  }

  // The loop

  /** At once, or with what else is said until the next turn of a busy loop. */
  #hear(observation: Observation): void {
    if (!this.up) return
    if (!this.#busy) {
      this.#input(observation)
      return
    }
    this.#heard.push(observation)
    if (this.#heard.length > 1) return
    const life = this.kills
    this.#world.after(this.#dice.between(0, 30), () => {
      if (this.kills === life) this.#input({ kind: 'tick' })
    })
  }

  #input(input: Input): Applied | null {
    if (!this.up) return null
    const batch = this.#heard.splice(0)
    if (batch.length > 0) this.#input({ kind: 'observed', batch })
    if (!this.up) return null
    try {
      const applied = this.#step(input)
      this.#settle(applied.changed)
      this.#wake()
      this.#tasks.look(this.state)
      return applied
    } catch (thrown) {
      if (!(thrown instanceof Killed)) throw thrown
      this.#die()
      return null
    }
  }

  /** What a change made possible needs no further word from outside; nor does what a peer has already. */
  #settle(first: boolean): void {
    let changed = first
    for (let turn = 0; turn < 40; turn++) {
      const reached = this.#publish()
      if (!changed && reached.length === 0) return
      const inputs: Input[] = changed ? [...reached, { kind: 'tick' }] : reached
      changed = false
      for (const input of inputs) changed = this.#step(input).changed || changed
    }
    this.#world.fail('comes to rest', 'ticks go on changing the state')
  }

  #step(input: Input): Applied {
    const now = this.#world.now()
    const before = this.state
    const applied = this.rules.apply(before, input, now)
    if (this.#pure) assertPure(this.#world, this.rules, { before, input, now }, applied)
    for (const { kind, operation, deployment, message } of applied.events) {
      this.#world.log(`${kind} ${operation ?? deployment ?? ''} ${message}`)
    }
    if (!applied.changed) {
      if (!sameJournal(before, applied.state)) this.#world.fail('pure', `${input.kind} changed what it did not say`)
      this.state = applied.state
      return applied
    }
    this.commits += 1
    const side = this.#fate()
    if (side === 'before') throw new Killed()
    this.state = applied.state
    this.#committed = applied.state
    this.watch.committed(before, applied.state, this.#project().table)
    if (side === 'after') throw new Killed()
    return applied
  }

  #fate(): Side | null {
    const planned = this.#killPlan?.(this.commits) ?? null
    if (planned !== null || this.#dieAt === null || this.commits < this.#dieAt.commit) return planned
    const { side } = this.#dieAt
    this.#dieAt = null
    return side
  }

  #project(): Projected {
    const { revision } = this.state.fabric
    if (this.#projected !== null && compareRevisions(this.#projected.table.revision, revision) === 0)
      return this.#projected
    const table = this.rules.projectRouting(this.state, this.#world.now())
    const assignments = new Map(
      Object.entries(this.rules.projectAssignments(this.state)).map(([node, assignment]) => [
        node,
        { assignment, content: contentOf(assignment) },
      ]),
    )
    if (this.#pure) deepFreeze([table, [...assignments]])
    this.#projected = { table, tableContent: contentOf(table), assignments }
    return this.#projected
  }

  /** Offers everyone the committed state; answers the word of those whom nothing in it concerns. */
  #publish(): Input[] {
    const { state } = this
    const reached: Input[] = []
    const { table, tableContent, assignments } = this.#project()
    const { revision } = table
    for (const [incarnation, peer] of this.#proxies) {
      if (state.proxies[incarnation] === undefined || !peer.push.offer(table, tableContent)) continue
      const { acknowledged = null } = state.observed.proxies[incarnation] ?? {}
      if (acknowledged !== null && compareRevisions(acknowledged, revision) === 0) continue
      reached.push({ kind: 'proxy-reached', incarnation, revision })
    }
    for (const [node, peer] of this.#agents) {
      const assigned = assignments.get(node)
      if (assigned === undefined || !peer.push.offer(assigned.assignment, assigned.content)) continue
      const known = state.observed.nodes[node]?.revision ?? null
      if (known !== null && compareRevisions(known, revision) === 0) continue
      reached.push({ kind: 'agent-reached', node, revision })
    }
    return reached
  }

  #wake(): void {
    const life = ++this.#life
    const ms = this.rules.projectWakeIn(this.state, this.#world.now())
    if (ms === null) return
    if (ms <= 0) this.#world.fail('comes to rest', 'a clock is due that a tick has just looked at')
    this.#world.after(Math.ceil(ms), () => {
      if (this.#life === life) this.#input({ kind: 'tick' })
    })
  }

  /** Dies at once; peers notice each in their time; a new one takes over from the journal. */
  #die(): void {
    this.kills += 1
    this.#world.done(`the controller is killed at commit ${this.commits}`)
    this.#shutDown(this.#world.calm ? 100 : 1500)
    this.#world.after(this.#dice.between(1, 800), () => this.#comeBack())
  }

  #shutDown(noticedMs: number): void {
    this.up = false
    this.#tasks.died()
    this.#life += 1
    this.#dieAt = null
    this.#heard = []
    for (const link of this.#links) link.dropByController(this.#dice.between(0, noticedMs))
    this.#links.clear()
    this.#proxies.clear()
    this.#agents.clear()
  }

  /** The whole machine restarts: processes, proxies, agents and the controller. */
  reboot(): void {
    this.#shutDown(0)
    this.#world.rebooted()
    for (const agent of this.agents) agent.nodeRebooted(this.#dice.between(50, 500))
    for (const family of this.proxyFamilies) family.rebooted()
    this.#world.after(this.#dice.between(1, 300), () => this.#comeBack())
  }

  #comeBack(): void {
    if (this.up) return
    this.up = true
    const before = this.state
    const journal = this.rules.serialise(this.#committed)
    this.state = { ...(JSON.parse(journal) as Omit<FabricState, 'observed'>), observed: NOTHING_OBSERVED } // its own words
    this.watch.restored(before, journal)
    const saved = this.state
    this.#projected = null
    this.#input({ kind: 'restored', settings: SETTINGS })
    if (this.up) this.watch.takenOver(saved, this.state)
  }
}

/** All of a level that matters to its peer. */
function contentOf(level: RoutingTable | Assignment): string {
  return JSON.stringify({ ...level, revision: null }).replaceAll(/,"drainMs":\d+/g, '')
}
