import type { Moment } from '../core/clock.ts'
import type { Revision } from '../contracts/revision.ts'
import { own } from '../core/own.ts'
import type {
  DeploymentRecord,
  FabricEvent,
  FabricRecord,
  FabricState,
  HealthRecord,
  NodeRecord,
  Observed,
  OperationRecord,
  ProxyRecord,
  RequestRecord,
  RoleRecord,
  ServiceRecord,
  Table,
  TaskRecord,
} from './state.ts'
import type { Certificate } from '../model/certificate.ts'
import type { Release } from '../model/release.ts'

/** One table under change: reads see what was written, the base is never touched. */
export class TableDraft<T> {
  readonly #base: Table<T>
  readonly #overlay = new Map<string, T | undefined>()

  constructor(base: Table<T>) {
    this.#base = base
  }

  get(key: string): Readonly<T> | undefined {
    return this.#overlay.has(key) ? this.#overlay.get(key) : own(this.#base, key)
  }

  /** A copy of the record that may be changed in place; undefined where there is none. */
  edit(key: string): T | undefined {
    if (this.#overlay.has(key)) return this.#overlay.get(key)
    const record = own(this.#base, key)
    if (record === undefined) return undefined
    const copy = structuredClone(record)
    this.#overlay.set(key, copy)
    return copy
  }

  put(key: string, record: T): T {
    this.#overlay.set(key, record)
    return record
  }

  delete(key: string): void {
    this.#overlay.set(key, undefined)
  }

  keys(): string[] {
    const keys = Object.keys(this.#base).filter(key => !this.#overlay.has(key) || this.#overlay.get(key) !== undefined)
    for (const [key, record] of this.#overlay)
      if (record !== undefined && !Object.hasOwn(this.#base, key)) keys.push(key)
    return keys
  }

  /** All records, to read. */
  *values(): Iterable<Readonly<T>> {
    for (const key of this.keys()) {
      const record = this.get(key)
      if (record !== undefined) yield record
    }
  }

  /** The table after the changes; the base itself where nothing differs. */
  finish(): Table<T> {
    let table: Record<string, T> | null = null
    for (const [key, record] of this.#overlay) {
      const before = own(this.#base, key)
      if (record === undefined ? before === undefined : same(record, before)) continue
      table ??= { ...this.#base }
      if (record === undefined) delete table[key]
      else table[key] = record
    }
    return table ?? this.#base
  }
}

/** A state under change within one `apply`. */
export class Draft {
  readonly now: Moment
  readonly services: TableDraft<ServiceRecord>
  readonly deployments: TableDraft<DeploymentRecord>
  readonly roles: TableDraft<RoleRecord>
  readonly operations: TableDraft<OperationRecord>
  readonly releases: TableDraft<Release>
  readonly certificates: TableDraft<Certificate>
  readonly nodes: TableDraft<NodeRecord>
  readonly proxies: TableDraft<ProxyRecord>
  readonly requests: TableDraft<RequestRecord>
  readonly health: TableDraft<HealthRecord>
  readonly tasks: TableDraft<TaskRecord>
  readonly fabric: FabricRecord
  readonly events: FabricEvent[] = []
  observed: Observed
  readonly #base: FabricState

  constructor(base: FabricState, now: Moment) {
    this.#base = base
    this.now = now
    this.fabric = structuredClone(base.fabric)
    this.services = new TableDraft(base.services)
    this.deployments = new TableDraft(base.deployments)
    this.roles = new TableDraft(base.roles)
    this.operations = new TableDraft(base.operations)
    this.releases = new TableDraft(base.releases)
    this.certificates = new TableDraft(base.certificates)
    this.nodes = new TableDraft(base.nodes)
    this.proxies = new TableDraft(base.proxies)
    this.requests = new TableDraft(base.requests)
    this.health = new TableDraft(base.health)
    this.tasks = new TableDraft(base.tasks)
    this.observed = base.observed
  }

  /** The revision that this change will have once committed. */
  get revision(): Revision {
    return { term: this.fabric.revision.term, n: this.#base.fabric.revision.n + 1 }
  }

  /** The roles of a deployment, in the order of their names. */
  rolesOf(deployment: string): Readonly<RoleRecord>[] {
    const prefix = `${deployment}/`
    return this.roles
      .keys()
      .filter(key => key.startsWith(prefix))
      .toSorted()
      .flatMap(key => this.roles.get(key) ?? [])
  }

  event(kind: string, message: string, about: Omit<FabricEvent, 'seq' | 'at' | 'kind' | 'message'> = {}): void {
    this.events.push({ seq: this.fabric.nextEvent, at: this.now.wall, kind, ...about, message })
    this.fabric.nextEvent += 1
  }

  /** The new state, and whether anything in it must be journaled. The revision grows by one if so. */
  finish(): { state: FabricState; changed: boolean } {
    const base = this.#base
    const tables = {
      services: this.services.finish(),
      deployments: this.deployments.finish(),
      roles: this.roles.finish(),
      operations: this.operations.finish(),
      releases: this.releases.finish(),
      certificates: this.certificates.finish(),
      nodes: this.nodes.finish(),
      proxies: this.proxies.finish(),
      requests: this.requests.finish(),
      health: this.health.finish(),
      tasks: this.tasks.finish(),
    }
    const changed =
      !same(this.fabric, base.fabric) ||
      (Object.keys(tables) as (keyof typeof tables)[]).some(name => tables[name] !== base[name]) // keys of the literal above
    if (!changed && this.observed === base.observed) return { state: base, changed: false }
    const fabric = changed ? { ...this.fabric, revision: this.revision, moment: this.now } : base.fabric
    return { state: { ...tables, fabric, observed: this.observed }, changed }
  }
}

/** Equal as JSON: records are plain data written in one order of keys. */
function same(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b)
}
