import type { Draft } from '../draft.ts'
import type { UpgradeRecord } from '../state.ts'

/** Writes the domains that a walk has come to into the receipt of its operation, which is about to end. */
export function writeDomains(draft: Draft, operation: string, upgrade: UpgradeRecord): void {
  const record = draft.operations.edit(operation)
  if (record === undefined || record.status !== 'InProgress') return
  const domains = record.kind === 'walk' ? upgrade.walked.slice(-1) : upgrade.walked
  record.receipt = { complete: false, note: null, traffic: [], switchMs: null, domains: structuredClone(domains) }
}
