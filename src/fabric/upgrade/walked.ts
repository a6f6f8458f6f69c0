import type { Draft } from '../draft.ts'
import type { UpgradeFailure, UpgradeRecord } from '../upgrade-record.ts'

/** Writes the domains that a walk has come to, and why it came no further, into its operation, which is about to end. */
export function writeDomains(
  draft: Draft,
  operation: string,
  upgrade: UpgradeRecord,
  failure: UpgradeFailure | null = null,
): void {
  const record = draft.operations.edit(operation)
  if (record === undefined || record.status !== 'InProgress') return
  const domains = record.kind === 'walk' ? upgrade.walked.slice(-1) : upgrade.walked
  if (failure !== null) record.failure = failure
  record.receipt = { complete: false, note: null, traffic: [], switchMs: null, domains: structuredClone(domains) }
}
