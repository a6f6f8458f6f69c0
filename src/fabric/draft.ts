import type { Moment } from '../core/clock.ts'
import type { Revision } from '../contracts/revision.ts'
import { samePlain } from '../core/plain.ts'
import type {
  DeploymentRecord,
  FabricEvent,
  FabricRecord,
  FabricState,
  MarkRecord,
  NodeRecord,
  ProxyRecord,
  RequestRecord,
  RoleRecord,
  ServiceRecord,
} from './state.ts'
import type { HealthRecord } from './health-record.ts'
import type { Observed } from './observed.ts'
import type { AftermathRecord, OperationRecord, TaskRecord } from './operation-record.ts'
import type { Certificate } from '../model/certificate.ts'
import type { Release } from '../model/release.ts'
import { RolesDraft, TableDraft } from './table-draft.ts'

/** A state under change within one `apply`. */
export class Draft {
  readonly now: Moment
  /** Who asked for this change; null: a rule did, or nobody said. */
  by: string | null = null
  readonly services: TableDraft<ServiceRecord>
  readonly deployments: TableDraft<DeploymentRecord>
  readonly roles: RolesDraft
  readonly operations: TableDraft<OperationRecord>
  readonly releases: TableDraft<Release>
  readonly certificates: TableDraft<Certificate>
  readonly nodes: TableDraft<NodeRecord>
  readonly proxies: TableDraft<ProxyRecord>
  readonly requests: TableDraft<RequestRecord>
  readonly health: TableDraft<HealthRecord>
  readonly marks: TableDraft<MarkRecord>
  readonly aftermaths: TableDraft<AftermathRecord>
  readonly tasks: TableDraft<TaskRecord>
  readonly fabric: FabricRecord
  readonly events: FabricEvent[] = []
  observed: Observed
  readonly #base: FabricState

  constructor(base: FabricState, now: Moment) {
    this.#base = base
    this.now = now
    // Its inner records are replaced, never changed in place.
    this.fabric = { ...base.fabric }
    this.services = new TableDraft(base.services)
    this.deployments = new TableDraft(base.deployments)
    this.roles = new RolesDraft(base.roles)
    this.operations = new TableDraft(base.operations)
    this.releases = new TableDraft(base.releases)
    this.certificates = new TableDraft(base.certificates)
    this.nodes = new TableDraft(base.nodes)
    this.proxies = new TableDraft(base.proxies)
    this.requests = new TableDraft(base.requests)
    this.health = new TableDraft(base.health)
    this.marks = new TableDraft(base.marks)
    this.aftermaths = new TableDraft(base.aftermaths)
    this.tasks = new TableDraft(base.tasks)
    this.observed = base.observed
  }

  /** May anything that addresses or certificates depend on be other than it was? */
  get touched(): boolean {
    const { services, deployments, roles, operations, releases, certificates } = this
    return [services, deployments, roles, operations, releases, certificates].some(table => table.touched)
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

  /**
   * The new state, and whether anything in it must be journaled. The revision grows by one if so. What is written to this
   * draft later may show in it.
   */
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
      marks: this.marks.finish(),
      aftermaths: this.aftermaths.finish(),
      tasks: this.tasks.finish(),
    }
    const changed =
      !samePlain(this.fabric, base.fabric) ||
      (Object.keys(tables) as (keyof typeof tables)[]).some(name => tables[name] !== base[name]) // keys of the literal above
    if (!changed && this.observed === base.observed) return { state: base, changed: false }
    const fabric = changed ? { ...this.fabric, revision: this.revision, moment: this.now } : base.fabric
    return { state: { ...tables, fabric, observed: this.observed }, changed }
  }
}
