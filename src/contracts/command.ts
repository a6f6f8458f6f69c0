import type { Slot } from '../model/slot.ts'
import type { Configuration } from '../model/definition.ts'
import type { UpgradeMode } from '../model/states.ts'
import type { UpgradePolicySource } from '../model/upgrade-policy-schema.ts'

/**
 * What an operator asks for: the admin API makes one of each mutating call, the fabric decides on it, the journal may
 * keep it. Plain JSON; what is absent was not said by the operator.
 */
export type Command =
  | CreateCommand
  | DeleteCommand
  | DeleteServiceCommand
  | SwapCommand
  | UpgradeCommand
  | ChangeUpgradeCommand
  | WalkCommand
  | RollbackCommand
  | ConfigureCommand
  | StatusCommand
  | InstanceCommand
  | DrainInstanceCommand
  | DrainNodeCommand
  | ForceCommand
  | PauseCommand
  | ResumeCommand

export type CommandKind = Command['kind']

/** A deployment into a slot; the service comes into being with its first one. */
export interface CreateCommand {
  readonly kind: 'create'
  readonly service: string
  readonly slot: Slot
  /** Digest of an accepted package. */
  readonly package: string
  readonly label?: string
  readonly configuration?: Configuration
  /** Drain and delete what is in the slot first. */
  readonly replace: boolean
}

export interface DeleteCommand {
  readonly kind: 'delete'
  readonly service: string
  readonly slot: Slot
}

/** The service itself, with its addresses; refused while a slot is occupied. */
export interface DeleteServiceCommand {
  readonly kind: 'deleteService'
  readonly service: string
}

export interface SwapCommand {
  readonly kind: 'swap'
  readonly service: string
  /** Absent: a plain swap. */
  readonly phase?: 'prepare' | 'commit' | 'cancel'
  /** Ids of the deployments the caller believes to be in the slots; anything else is `expectation_failed`. */
  readonly expect?: { readonly production: string | null; readonly staging: string | null }
  readonly verify?: boolean
}

/** An in-place upgrade to another package. */
export interface UpgradeCommand {
  readonly kind: 'upgrade'
  readonly service: string
  readonly slot: Slot
  readonly package: string
  readonly mode?: UpgradeMode
  /** As written: what is left out is as the named policy it extends says. */
  readonly policy?: UpgradePolicySource
  /** Only this role. */
  readonly role?: string
  /** Go on although local data may be lost. */
  readonly force: boolean
  /** Upgrade roles that did not change, too. */
  readonly restartUnchanged: boolean
  /** A superseding walk may take a second domain down. */
  readonly overlap: boolean
  /** False: roles that the package lacks are kept, and changed ones refused (Service Fabric's default services). */
  readonly allowRoleChanges?: boolean
  /** With traffic of the system's own; the first loss undoes it. */
  readonly verify?: boolean
  readonly configuration?: Configuration
  readonly label?: string
}

/** Change the upgrade that runs. */
export interface ChangeUpgradeCommand {
  readonly kind: 'changeUpgrade'
  readonly service: string
  readonly slot: Slot
  readonly mode?: UpgradeMode
  /** What is left out stays as it is. */
  readonly policy?: UpgradePolicySource
}

export interface WalkCommand {
  readonly kind: 'walk'
  readonly service: string
  readonly slot: Slot
  /** Absent: the next. */
  readonly domain?: number
}

export interface RollbackCommand {
  readonly kind: 'rollback'
  readonly service: string
  readonly slot: Slot
  readonly mode?: 'auto' | 'manual'
}

/** A new configuration without a new package; also what `scale` sends. Roles and settings left out stay as they are. */
export interface ConfigureCommand {
  readonly kind: 'configure'
  readonly service: string
  readonly slot: Slot
  readonly configuration: Configuration
  /** How settings are walked (Cloud Services, Change Deployment Configuration: Auto unless said). */
  readonly mode?: UpgradeMode
}

/** Suspend or start a whole deployment. */
export interface StatusCommand {
  readonly kind: 'status'
  readonly service: string
  readonly slot: Slot
  readonly status: 'Running' | 'Suspended'
}

/** One instance: stop and start its process (`reboot`), or its files afresh, too (`reimage`). */
export interface InstanceCommand {
  readonly kind: 'reboot' | 'reimage'
  readonly service: string
  readonly slot: Slot
  /** `web_IN_0` */
  readonly instance: string
}

/** One instance out of rotation, its process kept; or back. */
export interface DrainInstanceCommand {
  readonly kind: 'drain' | 'undrain'
  readonly service: string
  readonly slot: Slot
  /** `web_IN_0` */
  readonly instance: string
}

/** All instances off a node and nothing new on it; or use it again. */
export interface DrainNodeCommand {
  readonly kind: 'drainNode' | 'undrainNode'
  readonly node: string
}

/** A slot's addresses hold arriving requests for a bounded time. Paused already: the time begins anew. */
export interface PauseCommand {
  readonly kind: 'pause'
  readonly service: string
  readonly slot: Slot
  readonly timeoutMs: number
}

export interface ResumeCommand {
  readonly kind: 'resume'
  readonly service: string
  readonly slot: Slot
}

/** An operation in progress goes on without the word of silent peers: its guarantee is waived. */
export interface ForceCommand {
  readonly kind: 'force'
  readonly operation: string
}
