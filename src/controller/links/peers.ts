import type { AgentHello, FromAgent, FromProxy, ProxyHello } from '../../contracts/link.ts'
import type { AgentReadings } from '../../contracts/agent-metrics.ts'
import type { Assignment } from '../../contracts/assignment.ts'
import type { PlaneReadings } from '../../contracts/plane-metrics.ts'
import { compareRevisions } from '../../contracts/revision.ts'
import type { RoutingTable } from '../../contracts/routing.ts'
import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/logger.ts'
import { projectAssignments } from '../../fabric/project-assignments.ts'
import { projectRouting } from '../../fabric/project-routing.ts'
import { isHeld, mayAssign } from '../../fabric/recovery.ts'
import type { FabricState } from '../../fabric/state.ts'
import type { Reconciler } from '../reconciler.ts'
import { AssignmentContents, type Assigned } from './assignment-content.ts'
import type { Connection, LinkHandlers } from './link.ts'
import { LatestPush } from './push.ts'

interface ProxyPeer {
  hello: ProxyHello
  connection: Connection
  push: LatestPush<RoutingTable>
  readings: PlaneReadings
}

interface AgentPeer {
  hello: AgentHello
  connection: Connection
  push: LatestPush<Assignment>
  readings: AgentReadings
}

type LogSink = { onText: (text: string) => void; onEnd: (error: string | null) => void }

/** Everyone connected: turns what they say into inputs, and committed states into what they are told. */
export class Peers {
  readonly #proxies = new Map<string, ProxyPeer>()
  readonly #agents = new Map<string, AgentPeer>()
  readonly #logs = new Map<string, { node: string; sink: LogSink }>()
  readonly #reconciler: Reconciler
  readonly #clock: Clock
  readonly #log: Logger
  readonly #open: (assignment: Assignment) => Assignment
  #nextLog = 1
  #projected: Projected | null = null
  readonly #contents = new AssignmentContents()

  /** `open`: puts in what an assignment's secrets are, on its way out. */
  constructor(reconciler: Reconciler, clock: Clock, log: Logger, open: (assignment: Assignment) => Assignment) {
    this.#open = open
    this.#reconciler = reconciler
    this.#clock = clock
    this.#log = log
    reconciler.on('state', state => this.#publish(state))
  }

  readonly onHello: LinkHandlers['onHello'] = (hello, connection) => {
    // Of the same term too: that is what a journal meets which went back in time.
    if (hello.applied !== null && compareRevisions(hello.applied, this.#reconciler.state.fabric.revision) > 0) {
      this.#reconciler.enqueue({ kind: 'term-seen', term: hello.applied.term })
    }
    return hello.peer === 'proxy' ? this.#proxyJoined(hello, connection) : this.#agentJoined(hello, connection)
  }

  /** Asks a node for an instance's log. Returns how to stop; null where the node is not connected. */
  readLog(node: string, key: string, options: { tail: number; follow: boolean }, sink: LogSink): (() => void) | null {
    const peer = this.#agents.get(node)
    if (peer === undefined) return null
    const request = `log-${this.#nextLog++}`
    this.#logs.set(request, { node, sink })
    peer.connection.send({ type: 'log', request, key, ...options })
    return () => {
      if (this.#logs.delete(request)) peer.connection.send({ type: 'log-cancel', request })
    }
  }

  get connected(): { proxies: number; agents: number } {
    return { proxies: this.#proxies.size, agents: this.#agents.size }
  }

  /** What each connected proxy measured last. */
  get readings(): { proxy: string; readings: PlaneReadings }[] {
    return Array.from(this.#proxies.values(), ({ hello, readings }) => ({ proxy: hello.id, readings }))
  }

  /** What each connected agent measured last. */
  get agentReadings(): { node: string; readings: AgentReadings }[] {
    return Array.from(this.#agents.values(), ({ hello, readings }) => ({ node: hello.id, readings }))
  }

  #proxyJoined(hello: ProxyHello, connection: Connection): ReturnType<LinkHandlers['onHello']> {
    const { incarnation } = hello
    this.#proxies.get(incarnation)?.connection.close()
    const peer: ProxyPeer = {
      hello,
      connection,
      push: new LatestPush(table => connection.send({ type: 'table', table })),
      readings: {},
    }
    this.#proxies.set(incarnation, peer)
    this.#log.info({ proxy: hello.id, incarnation }, 'proxy connected')
    const { id, bootId, predecessors } = hello
    this.#reconciler.enqueue({ kind: 'proxy-connected', id, incarnation, bootId, predecessors })
    return {
      onMessage: message => this.#proxySaid(peer, message as FromProxy), // a proxy's link carries nothing else
      onClose: () => {
        if (this.#proxies.get(incarnation) !== peer) return
        this.#proxies.delete(incarnation)
        this.#log.warn({ proxy: hello.id, incarnation }, 'proxy disconnected')
        this.#reconciler.enqueue({ kind: 'proxy-disconnected', incarnation })
      },
    }
  }

  #proxySaid(peer: ProxyPeer, message: FromProxy): void {
    const { incarnation } = peer.hello
    switch (message.type) {
      case 'ack': {
        const revision = peer.push.acknowledge(message.revision)
        const status = { ...message.status, revision: peer.push.covered(message.status.revision) }
        this.#reconciler.enqueue({
          kind: 'proxy-acknowledged',
          incarnation,
          revision,
          listeners: message.listeners,
          status,
        })
        break
      }
      case 'status': {
        const status = { ...message.status, revision: peer.push.covered(message.status.revision) }
        this.#reconciler.enqueue({ kind: 'proxy-status', incarnation, status })
        break
      }
      case 'metrics':
        // No rule looks at them: they are not part of the state.
        peer.readings = message.readings
        break
      case 'predecessor':
        if (message.exited) this.#reconciler.enqueue({ kind: 'proxy-exited', incarnation: message.incarnation })
        break
      case 'refused':
        this.#log.warn({ incarnation, applied: message.applied }, 'a proxy refused an older table')
        peer.push.refused()
        this.#reconciler.enqueue({ kind: 'term-seen', term: message.applied.term })
        break
      case 'hello':
        break
    }
  }

  #agentJoined(hello: AgentHello, connection: Connection): ReturnType<LinkHandlers['onHello']> {
    const node = hello.id
    this.#agents.get(node)?.connection.close()
    const peer: AgentPeer = {
      hello,
      connection,
      push: new LatestPush(assignment => connection.send({ type: 'assignment', assignment: this.#open(assignment) })),
      readings: {},
    }
    this.#agents.set(node, peer)
    this.#log.info({ node }, 'agent connected')
    this.#reconciler.enqueue({ kind: 'agent-connected', node, facts: hello.node })
    return {
      onMessage: message => this.#agentSaid(peer, message as FromAgent), // an agent's link carries nothing else
      onClose: () => {
        if (this.#agents.get(node) !== peer) return
        this.#agents.delete(node)
        this.#log.warn({ node }, 'agent disconnected')
        for (const [request, reader] of this.#logs) {
          if (reader.node !== node) continue
          this.#logs.delete(request)
          reader.sink.onEnd(`node ${node} went away`)
        }
        this.#reconciler.enqueue({ kind: 'agent-disconnected', node })
      },
    }
  }

  #agentSaid(peer: AgentPeer, message: FromAgent): void {
    const node = peer.hello.id
    switch (message.type) {
      case 'observed': {
        const { instances, packages, packageErrors } = message
        const revision = message.revision === null ? null : peer.push.acknowledge(message.revision)
        this.#reconciler.enqueue({ kind: 'agent-observed', node, revision, instances, packages, packageErrors })
        break
      }
      case 'metrics':
        peer.readings = message.readings
        break
      case 'refused':
        this.#log.warn({ node, applied: message.applied }, 'an agent refused an older assignment')
        peer.push.refused()
        this.#reconciler.enqueue({ kind: 'term-seen', term: message.applied.term })
        break
      case 'log':
        this.#logOf(node, message.request)?.onText(message.text)
        break
      case 'log-end':
        {
          const sink = this.#logOf(node, message.request)
          if (sink !== null) this.#logs.delete(message.request)
          sink?.onEnd(message.error)
        }
        break
      case 'hello':
        break
    }
  }

  /** A node answers what it was asked, and not what another was. */
  #logOf(node: string, request: string): LogSink | null {
    const asked = this.#logs.get(request)
    return asked?.node === node ? asked.sink : null
  }

  #publish(state: FabricState): void {
    if (isHeld(state)) return
    const { table, tableContent, assignments } = this.#project(state)
    for (const [incarnation, peer] of this.#proxies) {
      // A proxy that the state does not know yet gets its first table once it does.
      if (state.proxies[incarnation] === undefined || !peer.push.offer(table, tableContent)) continue
      if (sameRevision(state.observed.proxies[incarnation]?.acknowledged ?? null, table.revision)) continue
      this.#reconciler.enqueue({ kind: 'proxy-reached', incarnation, revision: table.revision })
    }
    for (const [node, peer] of this.#agents) {
      const assigned = assignments.get(node)
      if (assigned === undefined || !mayAssign(state, node)) continue
      if (!peer.push.offer(assigned.assignment, assigned.content)) continue
      if (sameRevision(state.observed.nodes[node]?.revision ?? null, table.revision)) continue
      this.#reconciler.enqueue({ kind: 'agent-reached', node, revision: table.revision })
    }
  }

  /** The projections of a committed state; what is observed between two commits does not change them. */
  #project(state: FabricState): Projected {
    const { revision } = state.fabric
    if (this.#projected !== null && sameRevision(this.#projected.table.revision, revision)) return this.#projected
    const table = projectRouting(state, this.#clock.now())
    const assignments = this.#contents.of(projectAssignments(state))
    this.#projected = { table, tableContent: contentOfTable(table), assignments }
    return this.#projected
  }
}

interface Projected {
  table: RoutingTable
  tableContent: string
  assignments: ReadonlyMap<string, Assigned>
}

function sameRevision(a: { term: number; n: number } | null, b: { term: number; n: number }): boolean {
  return a !== null && a.term === b.term && a.n === b.n
}

/** What tells two tables apart for a proxy: all but the revision, who works, and how much is left of a drain or a pause. */
function contentOfTable(table: RoutingTable): string {
  return JSON.stringify({ ...table, revision: null, operations: null }, (name, value: unknown) =>
    name === 'drainMs' || name === 'leftMs' ? undefined : value,
  )
}
