import { checkSchema } from './check-schema.ts'
import { compareFaults, type Fault } from './fault.ts'
import { Findings, independentOf } from './findings.ts'
import { parseSource } from './source-file.ts'
import { UpgradePolicySchema, type UpgradePolicySource } from './upgrade-policy-schema.ts'
import { DEFAULT_UPGRADE_POLICY, policyFaults, resolvePolicy } from './upgrade-policy.ts'

/** Reads a policy file (YAML or JSON): what is written there, or every fault with its place. */
export function loadUpgradePolicy(
  file: string,
  text: string,
): { readonly source: UpgradePolicySource } | { readonly faults: readonly Fault[] } {
  const { source, faults: syntax } = parseSource(file, text)
  if (syntax.length > 0) return { faults: syntax }
  if (source.root === null) return { source: {} }
  const checked = checkSchema(source, UpgradePolicySchema)
  // The reader built it by the schema; only parts that were faulty are missing, and all are optional.
  const sound = (checked.value ?? {}) as UpgradePolicySource
  const findings = new Findings(source)
  for (const { field, found, expected } of policyFaults(resolvePolicy(sound, DEFAULT_UPGRADE_POLICY))) {
    findings.fault([field], found, expected)
  }
  const faults = [...checked.faults, ...independentOf(checked.faults, findings.faults)].sort(compareFaults)
  return faults.length > 0 ? { faults } : { source: sound }
}
