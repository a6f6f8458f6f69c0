import type { LedgerRow } from '../contracts/ledger.ts'
import type { NodeFacts } from '../contracts/link.ts'
import type { Revision } from '../contracts/revision.ts'
import type { DataPlaneLimits, ListenerOptions, ListenerTls } from '../contracts/routing.ts'
import type { Slot } from '../model/slot.ts'
import type { Certificate } from '../model/certificate.ts'
import type { Configuration, Platform, RoleDefinition, VipAddresses } from '../model/definition.ts'
import type { EndpointDefaults } from '../model/fabric-config.ts'
import type { HookEvent } from '../model/hooks.ts'
import type { Release } from '../model/release.ts'
import type { UpgradePolicy } from '../model/upgrade-policy.ts'
import type { Moment } from '../core/clock.ts'
import type { Anchor } from './anchor.ts'
import type { AftermathRecord, OperationRecord, TaskRecord } from './operation-record.ts'
import type { RecoveryRecord } from './recovery.ts'
import type { UpgradeRecord } from './upgrade-record.ts'
import { NOTHING_OBSERVED, type Observed } from './observed.ts'
import type { HealthRecord } from './health-record.ts'

export type Table<T> = Readonly<Record<string, T>>

/** Everything the rules know. All tables are journaled, a record a key; `observed` is not: it is asked again after a restart. */
export interface FabricState {
  readonly fabric: FabricRecord
  readonly services: Table<ServiceRecord>
  readonly deployments: Table<DeploymentRecord>
  /** Key `deployment/role`. */
  readonly roles: Table<RoleRecord>
  readonly operations: Table<OperationRecord>
  readonly releases: Table<Release>
  /** By id: a record each, since a key is a secret that leaves with its certificate. */
  readonly certificates: Table<Certificate>
  readonly nodes: Table<NodeRecord>
  /** Every proxy incarnation not reported exited. */
  readonly proxies: Table<ProxyRecord>
  /** Idempotency keys and the operations they started. */
  readonly requests: Table<RequestRecord>
  /** Reports from outside, by what they are about: `deployment` or `deployment/instance`. */
  readonly health: Table<HealthRecord>
  /** Moments to count traffic from, by name. */
  readonly marks: Table<MarkRecord>
  /** What came after an operation, by its id. */
  readonly aftermaths: Table<AftermathRecord>
  readonly tasks: Table<TaskRecord>
  readonly observed: Observed
}

export interface FabricRecord {
  id: string
  revision: Revision
  nextDeployment: number
  nextOperation: number
  nextEvent: number
  /** Absent before the first. */
  nextTask?: number
  settings: FabricSettings
  /** When something was journaled last: how far durations had come, should the machine boot next. */
  moment: Moment | null
  /** The journal went back in time; absent or null: it did not, or that is over. */
  recovery?: RecoveryRecord | null
}

/** What vipswap.yaml says that the rules need. */
export interface FabricSettings {
  vips: VipAddresses | null
  services: Record<
    string,
    { vips?: VipAddresses | undefined; hostNames?: { production: string; staging: string } | undefined }
  >
  limits: DataPlaneLimits
  endpointDefaults: EndpointDefaults
  portRange: { from: number; to: number }
  /** What a role's `size` means, by name. */
  sizes: Readonly<Record<string, { readonly cores: number; readonly memoryBytes: number }>>
  /** Over all services and both slots; null: no bound. */
  quota: { readonly cores: number } | null
  /** As whom roles run, whom they may ask for besides, and how many files they may open. Absent: as the agent. */
  processes?: { readonly user: string | null; readonly users: readonly string[]; readonly openFiles: number | null }
  /** A node silent for longer has its instances moved to others. */
  nodeTimeoutMs: number
  /** Which hooks there are; what they run is the runner's business. Absent: none. */
  hooks?: { all: readonly HookEvent[]; services: Readonly<Record<string, readonly HookEvent[]>> }
}

export interface ServiceRecord {
  name: string
  createdAt: number
  slots: Record<Slot, string | null>
  vips: VipAddresses
  hostNames: Record<Slot, string>
  listeners: ListenerRecord[]
  /** A two-phase swap that is prepared: bars every other change until it is committed or cancelled. */
  prepared: {
    operation: string
    production: string | null
    staging: string | null
    /** What the candidate was configured by before it got production's values; absent: it got none. */
    restore?: Configuration
    /** Processes (`targetKey`) that answered their warm-up; left out by those that did not write it yet. */
    warmed?: readonly string[]
  } | null
  /** Slots whose addresses hold arriving requests. */
  paused?: Partial<Record<Slot, PauseRecord>> | undefined
}

export interface PauseRecord {
  since: Anchor
  timeoutMs: number
}

/** One address of a service; it belongs to the slot and never moves. `slot` null: internal, belongs to a deployment. */
export interface ListenerRecord {
  key: string
  slot: Slot | null
  role: string
  endpoint: string
  protocol: 'http' | 'https' | 'tcp'
  /** What it shows and how it speaks: of the deployment in its slot, or of the last one there. Only https has `tls`. */
  tls: ListenerTls | null
  options: ListenerOptions
  /** Its own slot has held no deployment with this endpoint yet: it shows what the other slot's does. */
  lent: boolean
  host: string
  /** As asked for; 0 is any. */
  port: number
  /** As bound by the proxy; kept from then on. */
  bound: number | null
}

export type DeploymentState = 'pending' | 'deploying' | 'running' | 'suspending' | 'suspended' | 'starting' | 'deleting'

export interface DeploymentRecord {
  id: string
  service: string
  label: string
  package: string
  version: string
  createdAt: number
  state: DeploymentState
  upgradeDomainCount: number
  breaksData: boolean
  /** Latest accepted. */
  configuration: Configuration
  internal: ListenerRecord[]
  upgrade: UpgradeRecord | null
  /** By which its health is judged: of its latest upgrade. */
  policy: UpgradePolicy
  /** Roles that were removed: the highest incarnation of their instances, since one may come back under its name. */
  formerRoles: Record<string, number>
}

export interface RoleRecord {
  deployment: string
  name: string
  /** Every spec some instance is on or going to, by id. */
  specs: Record<string, RoleSpec>
  /** What new instances get. */
  target: string
  /** Highest incarnation of an instance that was removed: a later one of the same name begins above it. */
  removedIncarnation: number
  instances: InstanceRecord[]
}

export interface RoleSpec {
  id: string
  package: string
  /** The role's label: the package's version when the role last changed. */
  version: string
  identity: string
  platform: Platform
  definition: RoleDefinition
  settings: Record<string, string>
}

/**
 * Where an instance is in its life. The planned way down is serving → draining → retiring → stopping (design rule 5):
 * `draining`: in the table but never chosen, until every proxy has acknowledged and nothing is in flight (or the deadline);
 * `retiring`: out of the table, until every proxy has acknowledged that; only then is the process told to stop.
 */
export type Stage = 'planned' | 'starting' | 'serving' | 'draining' | 'retiring' | 'stopping' | 'stopped'

/** One role instance, and for a while the process it takes the place of. */
export interface InstanceRecord extends ProcessRecord {
  /** Start-first: what serves until this one is ready, then goes. It has a lane of its own, so both may be on one node. */
  beside?: ProcessRecord | undefined
}

/** One process of a role instance: where it is, how it runs, how far it is. */
export interface ProcessRecord {
  /** `web_IN_0` */
  id: string
  index: number
  upgradeDomain: number
  faultDomain: number
  /** '' for an upstream that is not ours to run. */
  node: string
  /** Spec of the current incarnation. */
  spec: string
  incarnation: number
  stage: Stage
  /** What follows `stopping`. */
  next: 'restart' | 'stop' | 'remove' | null
  nextSpec: string | null
  nextClean: 'none' | 'system' | 'all'
  clean: 'none' | 'system' | 'all'
  /** Since which revision, and how long, the current stage lasts. */
  since: Revision
  anchor: Anchor
  published: Published | null
  /** In a crash loop or never ready, and not about to be restarted: not worth holding requests for. */
  hopeless: boolean
  /** Which of the two sets of folders of its instance it has: what starts beside another takes the other one. */
  lane?: 'b' | undefined
  /** Highest incarnation of a process that stood beside it and is gone: none comes twice. */
  spent?: number | undefined
  /** Asked out of rotation by an operator: it runs, and is not chosen. */
  drained?: true | undefined
  /** Local storages that were last seen above their size. */
  overfull?: readonly string[] | undefined
  /** On its way down: what was in flight on it is in its operation's receipt. */
  counted?: true | undefined
}

/** What the routing table says of an instance: journaled, so that a restart changes nothing by itself. */
export interface Published {
  attempt: number
  host: string
  ports: Record<string, number>
  /** `aside`: ready and drained by an operator; told to proxies as draining. */
  membership: 'in' | 'draining' | 'aside'
}

export interface NodeRecord {
  name: string
  /** Order of registration: its share of the port range. */
  index: number
  facts: NodeFacts
  /** Asked empty by an operator: nothing new comes here. */
  draining?: true | undefined
  /** Silent for longer than the node time-out. Nothing comes here until it has reported that what was moved has stopped. */
  lost?: true | undefined
}

export interface ProxyRecord {
  id: string
  incarnation: string
  bootId: string
}

export interface RequestRecord {
  key: string
  /** Digest-like text of what was asked: the same key with another request is a mistake. */
  request: string
  operation: string
  at: number
}

/** The counts of a service at one moment. */
export interface MarkRecord {
  id: string
  service: string
  label: string | null
  /** Left by a reading, for the next one to go on from. */
  read: boolean
  at: Moment
  /** Of the change that made it: which of two is the later one. */
  revision: Revision
  /** By proxy incarnation; null: it had told none yet. */
  counts: Record<string, LedgerRow[] | null>
}

/** One line of the timeline, journaled under its number. */
export interface FabricEvent {
  seq: number
  at: number
  kind: string
  service?: string | undefined
  slot?: Slot | undefined
  deployment?: string | undefined
  instance?: string | undefined
  operation?: string | undefined
  /** The upgrade domain of `domain-started` and `domain-ended`; absent in what earlier versions wrote. */
  domain?: number | undefined
  message: string
}

/** A fabric in which nothing has happened. */
export function emptyState(id: string, settings: FabricSettings): FabricState {
  return {
    fabric: {
      id,
      revision: { term: 0, n: 0 },
      nextDeployment: 1,
      nextOperation: 1,
      nextEvent: 1,
      settings,
      moment: null,
    },
    services: {},
    deployments: {},
    roles: {},
    operations: {},
    releases: {},
    certificates: {},
    nodes: {},
    proxies: {},
    requests: {},
    health: {},
    marks: {},
    aftermaths: {},
    tasks: {},
    observed: NOTHING_OBSERVED,
  }
}

/** An instance's processes: itself, and what it stands beside. */
export function processesOf(instance: Readonly<InstanceRecord>): readonly Readonly<ProcessRecord>[] {
  return instance.beside === undefined ? [instance] : [instance, instance.beside]
}
