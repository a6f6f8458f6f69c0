import type { ErrorCode } from '../../core/errors.ts'
import type { FailureReason } from '../../model/states.ts'
import type { UpgradeFailure, UpgradeRecord } from '../upgrade-record.ts'

export function failureOf(upgrade: UpgradeRecord, reason: FailureReason, message: string, at: number): UpgradeFailure {
  return { reason, message, at, domain: upgrade.domains[upgrade.position] ?? null }
}

/** Under which code the operation ends. */
export function codeOf(reason: FailureReason): ErrorCode {
  switch (reason) {
    case 'Interrupted':
      return 'cancelled'
    case 'HealthCheck':
      return 'health_check_failed'
    case 'UpgradeDomainTimeout':
    case 'OverallUpgradeTimeout':
      return 'upgrade_timed_out'
    case 'Hook':
      return 'hook_failed'
    case 'Verify':
      return 'verify_failed'
  }
}
