import type { Assignment } from '../../src/contracts/assignment.ts'
import type { Command } from '../../src/contracts/command.ts'
import type { RoutingTable } from '../../src/contracts/routing.ts'
import { apply, type Applied } from '../../src/fabric/apply.ts'
import type { Input, Observation } from '../../src/fabric/input.ts'
import { projectWakeIn } from '../../src/fabric/wake.ts'
import { projectAssignments } from '../../src/fabric/project-assignments.ts'
import { projectRouting } from '../../src/fabric/project-routing.ts'
import { emptyState, type FabricSettings, type FabricState } from '../../src/fabric/state.ts'
import type { Release } from '../../src/model/release.ts'
import { observeIdeal } from './ideal-instance.ts'

/** What the rules cost: CPU of `apply` and of the projections, in microseconds, and how often each was asked. */
export interface Cost {
  applies: number
  applyMicros: number
  /** The dearest single one. */
  mostMicros: number
  projections: number
  projectMicros: number
}

export const NO_COST: Cost = { applies: 0, applyMicros: 0, mostMicros: 0, projections: 0, projectMicros: 0 }

/** A fabric of ideal nodes and proxies: every turn each does at once what it was told, and what they say is folded in together. */
export class Fleet {
  state: FabricState
  cost: Cost = { ...NO_COST }
  /** Highest heap seen between turns, bytes. */
  heap = 0
  ms = 0
  readonly #nodes: readonly string[]
  readonly #proxies: readonly string[]
  #table: RoutingTable | null = null
  readonly #sent = new Map<string, string>()
  #assignments: Readonly<Record<string, Assignment>> = {}

  constructor(options: { releases: readonly Release[]; nodes: number; proxies: number; settings: FabricSettings }) {
    this.state = emptyState('scale', options.settings)
    this.#nodes = Array.from({ length: options.nodes }, (_, index) => `node-${index}`)
    this.#proxies = Array.from({ length: options.proxies }, (_, index) => `proxy-${index}`)
    for (const release of options.releases) this.#apply({ kind: 'release-added', release })
    const facts = { cores: 64, memoryBytes: 2 ** 36, host: '127.0.0.1', faultDomain: null, upgradeDomain: null }
    for (const node of this.#nodes) this.#apply({ kind: 'agent-connected', node, facts })
    for (const id of this.#proxies)
      this.#apply({ kind: 'proxy-connected', id, incarnation: id, bootId: 'boot', predecessors: [] })
  }

  command(command: Command): string {
    const { operation, refusal } = this.#apply({ kind: 'command', command, idempotencyKey: null })
    if (operation === null) throw new Error(`${command.kind} was refused: ${refusal?.message ?? ''}`)
    return operation
  }

  /** Turns until an operation has ended; answers how. */
  finish(operation: string): string {
    for (let turn = 0; turn < 10_000; turn++) {
      const found = this.state.operations[operation]
      if (found !== undefined && found.status !== 'InProgress') return found.status
      this.#turn()
      if (turn % 20 === 0) this.heap = Math.max(this.heap, process.memoryUsage().heapUsed)
    }
    throw new Error(`operation ${operation} never ends`)
  }

  /** What the peers were told last, done and reported; then a tick. */
  #turn(): void {
    this.#project()
    this.ms += 100
    const heard = [...this.#acknowledgements(), ...this.#reports()]
    this.#apply({ kind: 'observed', batch: heard })
    while (this.#apply({ kind: 'tick' }).changed);
    const dueMs = projectWakeIn(this.state, this.#now)
    // Nothing but a clock is waited for, so it may as well be due.
    if (dueMs !== null && this.#table?.revision.n === this.state.fabric.revision.n) this.ms += dueMs
  }

  get #now() {
    return { wall: 1_700_000_000_000 + this.ms, mono: this.ms, bootId: 'boot' }
  }

  #apply(input: Input): Applied {
    const begun = process.cpuUsage()
    const applied = apply(this.state, input, this.#now)
    const micros = microsSince(begun)
    this.state = applied.state
    this.cost.applies += 1
    this.cost.applyMicros += micros
    this.cost.mostMicros = Math.max(this.cost.mostMicros, micros)
    return applied
  }

  #project(): void {
    const begun = process.cpuUsage()
    this.#table = projectRouting(this.state, this.#now)
    this.#assignments = projectAssignments(this.state)
    this.cost.projections += 1
    this.cost.projectMicros += microsSince(begun)
  }

  *#acknowledgements(): Iterable<Observation> {
    const table = this.#table
    if (table === null) return
    const listeners = table.listeners.map(({ key, port }) => ({ key, port: port === 0 ? 30_000 : port, error: null }))
    for (const incarnation of this.#proxies) {
      const status = { revision: table.revision, inFlight: {}, ledger: { incarnation, rows: [] } }
      yield { kind: 'proxy-acknowledged', incarnation, revision: table.revision, listeners, status }
    }
  }

  *#reports(): Iterable<Observation> {
    for (const node of this.#nodes) {
      const assignment = this.#assignments[node]
      if (assignment === undefined) continue
      const { revision, packages } = assignment
      // Not sent again where nothing concerns it: what it has said stands for this revision, too.
      const content = JSON.stringify([assignment.instances, packages])
      if (this.#sent.get(node) === content) {
        yield { kind: 'agent-reached', node, revision }
        continue
      }
      this.#sent.set(node, content)
      yield {
        kind: 'agent-observed',
        node,
        revision,
        instances: assignment.instances.map(each => observeIdeal(each, 20_000)),
        packages,
        packageErrors: {},
      }
    }
  }
}

/** CPU of the process, its collector's threads included: the clock on the wall also counts what others do. */
function microsSince(begun: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(begun)
  return user + system
}
