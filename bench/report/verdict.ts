import type { ReceiptView } from '../../src/contracts/api/receipt.ts'
import { checkSwaps } from '../load/checker.ts'
import type { SwapWindow } from '../load/checker.ts'
import type { LoadResult } from '../load/load.ts'
import type { WrkResult } from '../system/wrk.ts'
import { losses, printLoads, printPhases, summarise } from './summary.ts'
import type { Phase } from './summary.ts'
import { quantile, table } from './table.ts'

/** The number that issue and README promise: median of the switch times on one machine. */
const MEDIAN_SWITCH_MS = 10

/** Share of swaps that may go by without a new answer in time to be judged. */
const MAX_UNSEEN = 0.1

/** All that a run of the scenario leaves to be judged. */
export interface Evidence {
  readonly load: LoadResult
  readonly phases: readonly Phase[]
  /** Swaps whose time is measured, then those made while wrk ran beside, which are judged only. */
  readonly swaps: readonly SwapWindow[]
  readonly swapsBesideWrk: readonly SwapWindow[]
  /** Of all swaps in that order, then of the other operations. */
  readonly receipts: readonly ReceiptView[]
  readonly wrk: WrkResult | undefined
}

export interface Verdict {
  /** Why the run failed, in words; empty when nothing was lost. */
  readonly failures: readonly string[]
  readonly text: string
  readonly json: object
}

export function judge(evidence: Evidence): Verdict {
  const { load, phases, swaps, swapsBesideWrk, receipts, wrk } = evidence
  const checks = checkSwaps(load.records, [...swaps, ...swapsBesideWrk])
  const switches = checks
    .slice(0, swaps.length)
    .map((check, i) => Math.max(check.lastOldMs, receipts[i]?.switchMs ?? 0))
  const [median, p90, max] = [quantile(switches, 0.5), quantile(switches, 0.9), quantile(switches, 1)]
  const violations = checks.flatMap(check => check.violations)
  const lost = losses(load, phases)
  const broken = receipts.reduce((sum, receipt) => sum + receipt.totals.broken, 0)

  const failures = [
    ...lost,
    ...violations.map(each => `swap ${each.swap + 1}: ${each.rule} on ${each.vip}, ${each.lateMs.toFixed(2)} ms late`),
    ...(broken > 0 ? [`${broken} × broken by the receipts`] : []),
    ...receipts.filter(each => !each.complete).map(each => `receipt of ${each.operation.id}: ${each.note}`),
  ]
  const unseen = checks.filter(check => check.firstNewMs === null).length
  // On a busy machine the next swap may be called for before an answer is back; too many such prove nothing.
  if (unseen > checks.length * MAX_UNSEEN)
    failures.push(`after ${unseen} of ${checks.length} swaps no new answer was seen`)
  if (median >= MEDIAN_SWITCH_MS) {
    failures.push(`the median swap took ${median.toFixed(2)} ms, not under ${MEDIAN_SWITCH_MS}`)
  }
  if (wrk && wrk.socketErrors + wrk.badStatus > 0) failures.push(`wrk lost some:\n${wrk.output}`)

  const { closes, ...messages } = load.webSockets
  const closesByCode: Record<string, number> = {}
  for (const { code } of closes) closesByCode[code] = (closesByCode[code] ?? 0) + 1
  const summary = table(
    ['measure', 'value'],
    [
      ['requests', load.records.length],
      ['lost, by the clients', lost.length === 0 ? 0 : `see below (${lost.length} kinds)`],
      ['broken, by the receipts', broken],
      ['swaps', swaps.length + swapsBesideWrk.length],
      ['answers judged around swaps', checks.reduce((sum, check) => sum + check.judged, 0)],
      ['swaps without a new answer in time', unseen],
      ['old answers after new ones', violations.length],
      ['switch, median ms', median],
      ['switch, p90 ms', p90],
      ['switch, max ms', max],
      ['other operations', receipts.length - checks.length],
      ['WebSocket messages', `${messages.echoed} of ${messages.sent} echoed`],
      [
        'WebSockets closed',
        Object.entries(closesByCode)
          .map(([code, n]) => `${n} × ${code}`)
          .join(', ') || 0,
      ],
      ['wrk', wrk ? `${wrk.requests} requests, ${wrk.socketErrors} errors, ${wrk.badStatus} bad` : 'not installed'],
    ],
  )
  return {
    failures,
    text: [
      printPhases(summarise(load.records, phases, 'phases')),
      printLoads(summarise(load.records, phases, 'loads')),
      summary,
    ].join('\n\n'),
    json: {
      failures,
      rows: summarise(load.records, phases),
      switchMs: { median, p90, max, all: switches },
      violations,
      webSockets: { ...messages, closes },
      receipts: receipts.map(({ operation, totals, switchMs, complete }) => {
        return { kind: operation.kind, id: operation.id, totals, switchMs, complete }
      }),
      wrk: wrk ?? null,
    },
  }
}
