import type { ErrorCode } from '../core/errors.ts'
import type { UpgradeMode } from '../model/states.ts'

/** What a command would do. */
export interface PlanView {
  /** `none`: nothing to do; `changes`; `refused`. */
  readonly outcome: 'none' | 'changes' | 'refused'
  readonly blockers: readonly { readonly code: ErrorCode; readonly message: string }[]
  readonly warnings: readonly string[]
  readonly steps: readonly string[]
  /** Of an upgrade, also of one that is refused, as far as it can be said. */
  readonly upgrade?: UpgradePlanView
}

export interface UpgradePlanView {
  readonly mode: UpgradeMode
  readonly fromVersion: string
  readonly toVersion: string
  /** As service.yaml says, and at most as many as the largest role has instances. */
  readonly domains: { readonly declared: number; readonly effective: number }
  /** The domains that are walked, in order; instances that restart or come with them. */
  readonly moves: readonly { readonly domain: number; readonly instances: readonly string[] }[]
  /** Of the service as a whole. */
  readonly changes: readonly ChangePlanView[]
  readonly roles: readonly RolePlanView[]
  /** At most while it is walked, over all services and both slots. `quota` null: no bound. */
  readonly cores: { readonly before: number; readonly after: number; readonly quota: number | null }
}

export interface RolePlanView {
  readonly name: string
  readonly change: 'added' | 'removed' | 'changed' | 'scaled' | 'unchanged'
  readonly fromVersion: string | null
  readonly toVersion: string | null
  readonly instances: { readonly from: number; readonly to: number }
  /** The fewest instances that serve at any time of the walk, of those that are there at the same time. */
  readonly lowWater: number
  readonly changes: readonly ChangePlanView[]
}

/** A change with its verdicts from the table of allowed changes. */
export interface ChangePlanView {
  readonly kind: string
  readonly what: string
  readonly inPlace: string
  readonly swap: string
  readonly redeploy: string
}
