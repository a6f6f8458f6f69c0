import { policyFaults, type UpgradePolicy } from '../../model/upgrade-policy.ts'
import { refuseIfAny, type Blocker } from '../refusal.ts'

/** Refuses a policy that contradicts itself or names roles that are not there. */
export function requirePolicy(policy: UpgradePolicy, roles: readonly string[]): void {
  const blockers: Blocker[] = policyFaults(policy).map(({ field, found, expected }) => ({
    code: 'invalid_policy',
    message: `${field}: ${found}; ${expected}`,
  }))
  for (const name of Object.keys(policy.roles)) {
    if (roles.includes(name)) continue
    blockers.push({
      code: 'invalid_policy',
      message: `roles: there is no role "${name}"; roles are ${roles.join(', ')}`,
    })
  }
  refuseIfAny(blockers)
}
