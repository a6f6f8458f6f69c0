import { addBuckets, quantileMs, type SparseBuckets } from '../../core/histogram.ts'
import { own } from '../../core/own.ts'
import { brokenOf, type LedgerRow } from '../../model/ledger-row.ts'
import type { LedgerGates } from '../../model/upgrade-policy.ts'
import type { Draft } from '../draft.ts'
import { receiptSoFar } from '../receipts.ts'
import type { RoleRecord } from '../state.ts'
import type { UpgradeRecord } from '../upgrade-record.ts'
import type { Evaluation } from './evaluate.ts'

/**
 * What the proxies counted since the upgrade began, held against the policy's gates: one evaluation in Error for each
 * that is broken. Fewer requests to the new version than `minRequests` say nothing, nor does a p99 without as many to the
 * old one; nor versions that cannot be told apart.
 */
export function judgeLedger(
  draft: Draft,
  upgrade: UpgradeRecord,
  roles: readonly Readonly<RoleRecord>[],
  gates: LedgerGates | null,
): Evaluation[] {
  if (gates === null) return []
  const operation = draft.operations.get(upgrade.operation)
  if (operation === undefined) return []
  const [before, after] = [versionsOf(upgrade, roles, 'from'), versionsOf(upgrade, roles, 'to')]
  const state = { proxies: Object.fromEntries(draft.proxies.keys().map(key => [key, null])), observed: draft.observed }
  const rows = receiptSoFar(state, operation).traffic.filter(row => operation.deployments.includes(row.deployment))
  const next = sum(rows.filter(row => after.has(row.version) && !before.has(row.version)))
  const old = sum(rows.filter(row => before.has(row.version) && !after.has(row.version)))
  const found: Evaluation[] = []
  const fail = (description: string): void => {
    found.push({ kind: 'Ledger', state: 'Error', description })
  }
  if (next.ended < gates.minRequests) return []
  const percent = (next.failed * 100) / next.ended
  if (gates.maxErrorPercent !== null && percent > gates.maxErrorPercent) {
    fail(
      `${next.failed} of ${next.ended} requests to the new version failed (${percent.toFixed(2)} %, at most ${gates.maxErrorPercent} %)`,
    )
  }
  const [slow, usual] = [quantileMs(next.durations, 0.99), quantileMs(old.durations, 0.99)]
  if (gates.maxP99Ratio !== null && slow !== null && usual !== null && old.ended >= gates.minRequests) {
    if (slow > usual * gates.maxP99Ratio) {
      fail(
        `p99 of the new version is ${slow.toFixed(1)} ms, of the old one ${usual.toFixed(1)} ms (at most ${gates.maxP99Ratio} times)`,
      )
    }
  }
  return found
}

function versionsOf(upgrade: UpgradeRecord, roles: readonly Readonly<RoleRecord>[], end: 'from' | 'to'): Set<string> {
  const versions = roles.flatMap(role => {
    const spec = own(upgrade.roles, role.name)?.[end]
    return spec === undefined ? [] : (own(role.specs, spec)?.version ?? [])
  })
  return new Set(versions)
}

function sum(rows: readonly LedgerRow[]): { ended: number; failed: number; durations: SparseBuckets } {
  let [ended, failed] = [0, 0]
  let durations: SparseBuckets = []
  for (const row of rows) {
    const broken = brokenOf(row)
    ended += row.answered + broken
    failed += broken + (row.answers?.statuses[4] ?? 0)
    durations = addBuckets(durations, row.answers?.duration.buckets ?? [])
  }
  return { ended, failed, durations }
}
