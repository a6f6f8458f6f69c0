import type { InstanceObservation } from '../contracts/assignment.ts'
import type { OperationKind } from '../contracts/api.ts'
import type { LedgerRow } from '../contracts/ledger.ts'
import type { ListenerStatus, NodeFacts, ProxyStatus } from '../contracts/link.ts'
import type { Revision } from '../contracts/revision.ts'
import type { DataPlaneLimits, ListenerOptions, ListenerTls } from '../contracts/routing.ts'
import type { ErrorCode } from '../core/errors.ts'
import type { Slot } from '../model/common.ts'
import type { Certificate } from '../model/certificate.ts'
import type { Configuration, RoleDefinition, VipAddresses } from '../model/definition.ts'
import type { EndpointDefaults } from '../model/fabric-config.ts'
import type { Release } from '../model/release.ts'
import type { OperationStatus, UpgradeMode } from '../model/states.ts'
import type { Anchor } from './anchor.ts'

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
  readonly observed: Observed
}

export interface FabricRecord {
  id: string
  revision: Revision
  nextDeployment: number
  nextOperation: number
  nextEvent: number
  settings: FabricSettings
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
}

export interface ServiceRecord {
  name: string
  createdAt: number
  slots: Record<Slot, string | null>
  vips: VipAddresses
  hostNames: Record<Slot, string>
  listeners: ListenerRecord[]
  /** A two-phase swap that is prepared: bars every other change until it is committed or cancelled. */
  prepared: { operation: string; production: string | null; staging: string | null } | null
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
  definition: RoleDefinition
  settings: Record<string, string>
}

/**
 * Where an instance is in its life. The planned way down is serving → draining → retiring → stopping (design rule 5):
 * `draining`: in the table but never chosen, until every proxy has acknowledged and nothing is in flight (or the deadline);
 * `retiring`: out of the table, until every proxy has acknowledged that; only then is the process told to stop.
 */
export type Stage = 'planned' | 'starting' | 'serving' | 'draining' | 'retiring' | 'stopping' | 'stopped'

export interface InstanceRecord {
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
}

/** What the routing table says of an instance: journaled, so that a restart changes nothing by itself. */
export interface Published {
  attempt: number
  host: string
  ports: Record<string, number>
  membership: 'in' | 'draining'
}

export interface UpgradeRecord {
  operation: string
  mode: UpgradeMode
  direction: 'forward' | 'back'
  /** Back only: the mode of the rollback. */
  from: UpgradeEnd
  to: UpgradeEnd
  roles: Record<string, { from: string; to: string }>
  /** Domains with affected instances, in the order they are walked. */
  domains: number[]
  /** Index into `domains` of the one that is, or comes, next. */
  position: number
  /** `halted`: a rollback that could not start an old instance; nothing more moves until somebody decides. */
  phase: 'preparing' | 'waiting' | 'walking' | 'verifying' | 'halted'
  /** Domains that were down already, because of the walk whose place this one took: the first ones to be walked. */
  inFlight?: number[]
  /** It begins at its first domain although another may be down (Azure's way). */
  overlap?: boolean
  /** The operation that a finished domain ends: a walk in the manual modes. */
  walk: string | null
  clocks: { upgrade: Anchor; domain: Anchor | null; wait: Anchor | null; stable: Anchor | null; retry: Anchor | null }
  walked: { domain: number; startedAt: number; endedAt: number | null; instances: number }[]
}

export interface UpgradeEnd {
  package: string
  version: string
  label: string
  configuration: Configuration
  breaksData: boolean
}

export interface OperationRecord {
  id: string
  kind: OperationKind
  service: string
  slot: Slot | null
  /** Deployments it holds against other operations. */
  deployments: string[]
  status: OperationStatus
  step: string
  startedAt: number
  startedMono: number
  endedAt: number | null
  error: { code: ErrorCode; message: string } | null
  /** Which revision must be acknowledged for the step to end. */
  since: Revision
  /** Of kind create: the deployment to remove first, and the listeners to return to if binding fails. */
  replaces: string | null
  previousListeners: ListenerRecord[] | null
  /** Of kind reboot, reimage: the instance. Of kind walk: the domain. */
  instance: string | null
  domain: number | null
  from: Record<string, string | null>
  to: Record<string, string | null>
  /** Ledger rows per proxy incarnation when it was accepted; null: it had told none yet. */
  baseline: Record<string, LedgerRow[] | null>
  receipt: ReceiptRecord | null
}

export interface ReceiptRecord {
  complete: boolean
  note: string | null
  traffic: (LedgerRow & { open: number })[]
  domains: { domain: number; startedAt: number; endedAt: number | null; instances: number }[]
  switchMs: number | null
}

export interface NodeRecord {
  name: string
  /** Order of registration: its share of the port range. */
  index: number
  facts: NodeFacts
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

/** Seen since this controller started. */
export interface Observed {
  readonly nodes: Readonly<Record<string, ObservedNode>>
  readonly proxies: Readonly<Record<string, ObservedProxy>>
}

export interface ObservedNode {
  readonly online: boolean
  readonly revision: Revision | null
  /** By `deployment/instance`. */
  readonly instances: Readonly<Record<string, InstanceObservation>>
  readonly packages: readonly string[]
  readonly packageErrors: Readonly<Record<string, string>>
}

export interface ObservedProxy {
  readonly online: boolean
  readonly acknowledged: Revision | null
  readonly listeners: readonly ListenerStatus[]
  readonly status: ProxyStatus | null
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
  message: string
}

export const NOTHING_OBSERVED: Observed = { nodes: {}, proxies: {} }

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
    observed: NOTHING_OBSERVED,
  }
}

export function roleKey(deployment: string, role: string): string {
  return `${deployment}/${role}`
}

export function instanceKey(deployment: string, instance: string): string {
  return `${deployment}/${instance}`
}

/** One start of one process, as the data plane counts it. */
export function targetKey(deployment: string, instance: InstanceRecord): string {
  return `${deployment}/${instance.id}#${instance.incarnation}.${instance.published?.attempt ?? 0}`
}
