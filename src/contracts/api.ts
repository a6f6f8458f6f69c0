import { Type, type Static } from 'typebox'
import type { ErrorCode } from '../core/errors.ts'
import type { Slot } from '../model/common.ts'
import type {
  DeploymentStatus,
  FailureReason,
  HealthState,
  InstanceStatus,
  Membership,
  OperationStatus,
  UpgradeMode,
} from '../model/states.ts'
import { HEALTH_STATES, UPGRADE_MODES } from '../model/states.ts'
import type { UpgradePolicySource } from '../model/upgrade-policy-schema.ts'
import type { PolicyName, UpgradePolicy } from '../model/upgrade-policy.ts'
import { Duration } from '../model/common.ts'
import type { Platform } from '../model/definition.ts'
import type { BrokenCause, LedgerRow } from './ledger.ts'

// Request bodies of the admin API (/v1), as schemas: checked at the edge, and the source of the types.

const closed = { additionalProperties: false }
const Digest = Type.String({
  pattern: '^[0-9a-f]{64}$',
  description: 'A package, by the digest that POST /v1/packages answered.',
})
const Mode = Type.Enum([...UPGRADE_MODES])
/** Checked behind the edge, where each fault can be named: by the schema of policy files. */
const Policy = Type.Unsafe<PolicyName | UpgradePolicySource>({
  description: 'default, service-fabric, or what a policy file says (docs/schema/upgrade-policy.schema.json).',
})
const Configuration = Type.Object(
  {
    roles: Type.Record(
      Type.String(),
      Type.Object(
        {
          instances: Type.Optional(Type.Integer({ minimum: 0, maximum: 10000 })),
          settings: Type.Optional(Type.Record(Type.String(), Type.String())),
          slotSettings: Type.Optional(
            Type.Record(
              Type.String(),
              Type.Object({ production: Type.Optional(Type.String()), staging: Type.Optional(Type.String()) }, closed),
              { description: 'Of settings that belong to a slot, by slot.' },
            ),
          ),
          certificates: Type.Optional(
            Type.Record(
              Type.String(),
              Type.String({ description: 'PEM text: the certificate, its intermediates, its private key.' }),
            ),
          ),
        },
        closed,
      ),
    ),
  },
  closed,
)

export const CreateBody = Type.Object(
  {
    package: Digest,
    label: Type.Optional(Type.String({ maxLength: 100 })),
    configuration: Type.Optional(Configuration),
    replace: Type.Optional(Type.Boolean({ description: 'Drain and delete what is in the slot first.' })),
  },
  closed,
)
export const SwapBody = Type.Object(
  {
    phase: Type.Optional(Type.Union([Type.Literal('prepare'), Type.Literal('commit'), Type.Literal('cancel')])),
    expect: Type.Optional(
      Type.Object(
        { production: Type.Union([Type.String(), Type.Null()]), staging: Type.Union([Type.String(), Type.Null()]) },
        closed,
      ),
    ),
    verify: Type.Optional(Type.Boolean({ description: 'With probe traffic of its own; the first loss swaps back.' })),
  },
  closed,
)
export const UpgradeBody = Type.Object(
  {
    package: Digest,
    mode: Type.Optional(Mode),
    policy: Type.Optional(Policy),
    role: Type.Optional(Type.String()),
    force: Type.Optional(Type.Boolean()),
    restartUnchanged: Type.Optional(Type.Boolean()),
    overlap: Type.Optional(Type.Boolean()),
    allowRoleChanges: Type.Optional(
      Type.Boolean({
        default: true,
        description: 'False: roles the package lacks are kept, changed ones are refused.',
      }),
    ),
    configuration: Type.Optional(Configuration),
    label: Type.Optional(Type.String({ maxLength: 100 })),
    verify: Type.Optional(
      Type.Boolean({ description: 'With probe traffic of its own; the first loss rolls it back.' }),
    ),
  },
  closed,
)
export const ChangeUpgradeBody = Type.Object({ mode: Type.Optional(Mode), policy: Type.Optional(Policy) }, closed)
export const WalkBody = Type.Object({ domain: Type.Optional(Type.Integer({ minimum: 0, maximum: 19 })) }, closed)
export const RollbackBody = Type.Object(
  { mode: Type.Optional(Type.Union([Type.Literal('auto'), Type.Literal('manual')])) },
  closed,
)
export const ConfigurationBody = Type.Object({ configuration: Configuration, mode: Type.Optional(Mode) }, closed)
export const StatusBody = Type.Object(
  { status: Type.Union([Type.Literal('Running'), Type.Literal('Suspended')]) },
  closed,
)
/** A report of health from outside; it replaces the last one of the same source and property. */
export const HealthBody = Type.Object(
  {
    source: Type.String({ minLength: 1, maxLength: 200, description: 'Who reports; not System.*.' }),
    property: Type.String({ minLength: 1, maxLength: 200, description: 'What about.' }),
    state: Type.Enum([...HEALTH_STATES]),
    ttl: Type.Optional(Duration('For how long it holds; absent: for ever.')),
    removeWhenExpired: Type.Optional(Type.Boolean({ description: 'Else it counts as Error once it has expired.' })),
    sequence: Type.Optional(Type.Integer({ minimum: 0, description: 'Above that of the last; absent: the next.' })),
    description: Type.Optional(Type.String({ maxLength: 1000 })),
    instance: Type.Optional(Type.String({ description: 'Of one instance; absent: of the deployment.' })),
  },
  closed,
)
/** What would an operation do: the body it would have, under its name. Without either it is the swap. */
export const PlanBody = Type.Object({ swap: Type.Optional(SwapBody), upgrade: Type.Optional(UpgradeBody) }, closed)

export type CreateBody = Static<typeof CreateBody>
export type SwapBody = Static<typeof SwapBody>
export type UpgradeBody = Static<typeof UpgradeBody>
export type ChangeUpgradeBody = Static<typeof ChangeUpgradeBody>
export type WalkBody = Static<typeof WalkBody>
export type RollbackBody = Static<typeof RollbackBody>
export type ConfigurationBody = Static<typeof ConfigurationBody>
export type StatusBody = Static<typeof StatusBody>
/** As sent: certificates are PEM text here, and ids behind the edge. */
export type ConfigurationText = Static<typeof Configuration>
export type HealthBody = Static<typeof HealthBody>
export type PlanBody = Static<typeof PlanBody>

// Answers.

/** RFC 9457, `application/problem+json`. */
export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: ErrorCode
  readonly blockers?: readonly { readonly code: string; readonly message: string }[]
  readonly [extra: string]: unknown
}

export interface PackageAnswer {
  readonly digest: string
  readonly name: string
  readonly version: string
  readonly warnings: readonly string[]
}

export interface GcAnswer {
  /** Digests. */
  readonly removed: readonly string[]
}

/** 202 of every mutation, with `Location: /v1/operations/{id}`. */
export interface Accepted {
  readonly operationId: string
}

export interface VipView {
  readonly slot: Slot
  readonly role: string
  readonly endpoint: string
  readonly protocol: 'http' | 'https' | 'tcp'
  readonly host: string
  /** null until the proxy has bound it. */
  readonly port: number | null
  /** `http://127.0.0.1:8080` */
  readonly url: string | null
  readonly error: string | null
}

export interface ServiceView {
  readonly name: string
  readonly slots: { readonly production: DeploymentView | null; readonly staging: DeploymentView | null }
  readonly vips: readonly VipView[]
  readonly operation: OperationView | null
}

export interface InstanceView {
  readonly id: string
  readonly role: string
  readonly version: string
  readonly status: InstanceStatus
  readonly upgradeDomain: number
  readonly faultDomain: number
  readonly node: string
  readonly routing: Membership
  readonly inFlight: number
  readonly restarts: number
  readonly pid: number | null
  readonly detail: string
  /** An operator took it out of rotation. */
  readonly drained: boolean
  /** As last measured. */
  readonly localStorage: readonly { readonly name: string; readonly bytes: number; readonly sizeBytes: number }[]
}

export interface RoleView {
  readonly name: string
  readonly kind: 'web' | 'worker'
  readonly version: string
  readonly size: string | null
  /** Of one instance, by its size. */
  readonly cores: number
  readonly instances: number
  readonly ready: number
  readonly endpoints: readonly {
    readonly name: string
    readonly protocol: string
    readonly port: number
    readonly internal: boolean
  }[]
  readonly certificates: readonly CertificateView[]
}

/** Never the certificate's text, never its key. */
export interface CertificateView {
  readonly name: string
  /** SHA-256 of chain and key: tells whether it changed. */
  readonly id: string
  readonly names: readonly string[]
  readonly notAfter: string
  /** It has expired, or will within 14 days. */
  readonly warning?: string
}

/** What may be done now, from the one permission table; `reason` says why not. */
export interface ActionView {
  readonly allowed: boolean
  readonly code?: ErrorCode
  readonly reason?: string
}

export interface UpgradeStatusView {
  readonly type: 'Auto' | 'Manual' | 'Simultaneous'
  readonly mode: UpgradeMode
  readonly direction: 'forward' | 'back'
  readonly fromVersion: string
  readonly toVersion: string
  readonly currentUpgradeDomain: number
  readonly currentUpgradeDomainState: 'Before' | 'During'
  readonly domains: readonly {
    readonly domain: number
    readonly state: 'pending' | 'during' | 'done' | 'skipped'
    readonly waitingFor: string | null
  }[]
  readonly operationId: string
  /** What the walk waits for, in words. */
  readonly waitingFor: string | null
  /** Domains whose health check passed (monitored). */
  readonly verified: readonly number[]
  readonly failure?: {
    readonly reason: FailureReason
    readonly message: string
    readonly at: string
    readonly domain: number | null
  }
  /** Instances without which a gate that waits for ever does not open, and why. */
  readonly stuck?: readonly { readonly instance: string; readonly reason: string }[]
}

export type ActionName = 'swap' | 'upgrade' | 'walk' | 'rollback' | 'scale' | 'suspend' | 'start' | 'delete'

export interface DeploymentView {
  readonly id: string
  readonly service: string
  readonly slot: Slot
  readonly label: string
  readonly package: string
  readonly version: string
  readonly status: DeploymentStatus
  readonly createdAt: string
  /** As the definition says. */
  readonly upgradeDomainCount: number
  /** Domains that hold an instance: a walk has no more. */
  readonly effectiveUpgradeDomainCount: number
  readonly platform: Platform
  readonly locked: boolean
  readonly rollbackAllowed: boolean
  readonly rollbackBlockedBy?: string
  readonly upgradeStatus?: UpgradeStatusView
  /** By which its health is judged: that of its latest upgrade. */
  readonly policy: UpgradePolicy
  readonly actions: Readonly<Record<ActionName, ActionView>>
  readonly roles: readonly RoleView[]
  readonly instances: readonly InstanceView[]
}

export interface HealthReportView {
  readonly source: string
  readonly property: string
  readonly state: HealthState
  readonly description: string
  readonly sequence: number
  readonly at: string
  readonly ttlMs: number | null
  readonly removeWhenExpired: boolean
  readonly expired: boolean
}

/** Why something is not Ok. */
export interface HealthEvaluationView {
  readonly kind: 'Event' | 'ExpiredEvent' | 'InstanceState' | 'RoleInstances' | 'UpgradeDomainInstances' | 'Ledger'
  readonly state: HealthState
  readonly description: string
  readonly role?: string
  readonly instance?: string
  readonly domain?: number
}

/** Aggregated health of a deployment, by its policy. */
export interface HealthView {
  readonly deployment: string
  readonly state: HealthState
  /** Worst first. */
  readonly evaluations: readonly HealthEvaluationView[]
  readonly reports: readonly HealthReportView[]
  readonly roles: readonly {
    readonly name: string
    readonly state: HealthState
    readonly total: number
    readonly unhealthy: number
    /** How many may be. */
    readonly tolerated: number
    readonly instances: readonly {
      readonly id: string
      readonly state: HealthState
      readonly reports: readonly HealthReportView[]
    }[]
  }[]
  /** Of the domains a running upgrade has completed. */
  readonly upgradeDomains: readonly { readonly domain: number; readonly state: HealthState }[]
}

export type OperationKind =
  | 'create'
  | 'delete'
  | 'swap'
  | 'upgrade'
  | 'walk'
  | 'rollback'
  | 'scale'
  | 'configure'
  | 'suspend'
  | 'start'
  | 'reboot'
  | 'reimage'
  | 'drain'
  | 'undrain'

export interface OperationView {
  readonly id: string
  readonly kind: OperationKind
  readonly service: string
  readonly slot?: Slot
  readonly deployment?: string
  readonly status: OperationStatus
  readonly startedAt: string
  readonly endedAt?: string
  readonly progress: {
    /** Named step it is in. */
    readonly step: string
    /** 0 to 100. */
    readonly percent: number
    /** What it waits for, in words. */
    readonly message: string
    readonly domains?: readonly { readonly domain: number; readonly done: number; readonly total: number }[]
  }
  readonly error?: { readonly code: ErrorCode; readonly message: string }
}

/** Kept with each ended operation. Times are ISO 8601, durations milliseconds. */
export interface ReceiptView {
  readonly operation: OperationView
  readonly from: Readonly<Record<string, string | null>>
  readonly to: Readonly<Record<string, string | null>>
  /** False where `force` waived the guarantee or the ledger of a proxy could not be read; `note` says why. */
  readonly complete: boolean
  readonly note: string | null
  /** What else is worth knowing of it: local data that was lost, data that the old version may not be able to read. */
  readonly remarks: readonly string[]
  readonly traffic: readonly (LedgerRow & { readonly open: number })[]
  readonly totals: {
    readonly arrived: number
    readonly answered: number
    readonly refused: number
    readonly clientGone: number
    readonly held: number
    readonly heldMaxMs: number
    readonly replayed: number
    readonly open: number
    readonly broken: number
    readonly brokenBy: Readonly<Partial<Record<BrokenCause, number>>>
  }
  readonly domains: readonly {
    readonly domain: number
    readonly startedAt: string
    readonly endedAt: string | null
    readonly instances: number
  }[]
  /** Swap only: from the accepted call to the last proxy's acknowledgement of the new table. */
  readonly switchMs: number | null
}

/** One line of the timeline, `GET /v1/events` as SSE with `id:` = seq, `event:` = kind, `data:` = this as JSON. */
export interface EventView {
  readonly seq: number
  readonly at: string
  readonly kind: string
  readonly service?: string
  readonly slot?: Slot
  readonly deployment?: string
  readonly instance?: string
  readonly operation?: string
  readonly message: string
}

export interface NodeView {
  readonly name: string
  readonly status: 'online' | 'offline'
  /** `lost`: silent beyond nodeTimeout, or back and not yet rid of what was moved away. */
  readonly use: 'open' | 'draining' | 'drained' | 'lost'
  readonly faultDomain: number
  /** null where it declares none. */
  readonly upgradeDomain: number | null
  readonly instances: number
  readonly host: string
}
