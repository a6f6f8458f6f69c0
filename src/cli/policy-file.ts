import { readFile } from 'node:fs/promises'
import { VipswapError, systemCode } from '../core/errors.ts'
import { loadUpgradePolicy } from '../model/load-upgrade-policy.ts'
import type { UpgradePolicySource } from '../model/upgrade-policy-schema.ts'
import { isPolicyName, NAMED_POLICIES } from '../model/upgrade-policy.ts'

/** What `--policy` means: a policy's name, or the path of a file. Rejects with `invalid_policy`. */
export async function readPolicy(nameOrPath: string): Promise<UpgradePolicySource> {
  if (isPolicyName(nameOrPath)) return { extends: nameOrPath }
  const text = await readFile(nameOrPath, 'utf8').catch((error: unknown) => {
    throw new VipswapError(
      'invalid_policy',
      `${nameOrPath} cannot be read (${systemCode(error) ?? 'unknown'}); write a file, or ${Object.keys(NAMED_POLICIES).join(' or ')}`,
    )
  })
  const loaded = loadUpgradePolicy(nameOrPath, text)
  if ('source' in loaded) return loaded.source
  const faults = loaded.faults.map(({ message }) => message)
  throw new VipswapError('invalid_policy', faults.join('\n'), { faults })
}
