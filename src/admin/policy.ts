import { VipswapError } from '../core/errors.ts'
import { UpgradePolicySchema, type UpgradePolicySource } from '../model/upgrade-policy-schema.ts'
import { isPolicyName, NAMED_POLICIES, type PolicyName } from '../model/upgrade-policy.ts'
import { compileValidator } from './validation.ts'

const check = compileValidator({ schema: UpgradePolicySchema, method: 'POST', url: '', httpPart: 'body.policy' })

/** A policy as it was sent, by name or in full; throws `invalid_policy` naming each field. */
export function readOptionalPolicy(sent: PolicyName | UpgradePolicySource | undefined): {
  policy?: UpgradePolicySource
} {
  if (sent === undefined) return {}
  if (typeof sent === 'string') {
    if (isPolicyName(sent)) return { policy: { extends: sent } }
    throw new VipswapError(
      'invalid_policy',
      `there is no policy "${String(sent)}"; known: ${Object.keys(NAMED_POLICIES).join(', ')}`,
    )
  }
  const result: unknown = check(sent)
  if (typeof result === 'object' && result !== null && 'error' in result && result.error instanceof Error) {
    throw new VipswapError('invalid_policy', result.error.message)
  }
  return { policy: sent }
}
