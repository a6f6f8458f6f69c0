import type { OperationView } from '../../src/contracts/api/operation.ts'
import type { ReceiptView } from '../../src/contracts/api/receipt.ts'
import type { LoadResult } from '../load/load.ts'
import { losses, printLoads, printPhases, summarise, type Phase } from '../report/summary.ts'
import { quantile, table } from '../report/table.ts'
import type { Verdict } from '../report/verdict.ts'
import type { DomainCost } from './timeline.ts'

/** What the walk may cost beyond what its instances need. */
const MAX_OVERHEAD = 0.1

export interface Walk {
  readonly operation: OperationView
  readonly receipt: ReceiptView
  /** Empty where it is not timed: what undid itself. */
  readonly domains: readonly DomainCost[]
  readonly overhead: number | null
}

export interface WalkEvidence {
  readonly load: LoadResult
  readonly phases: readonly Phase[]
  /** The upgrades, then the one that fell ill, then its rollback. */
  readonly walks: readonly Walk[]
  readonly illDomain: number
}

export function judgeWalks({ load, phases, walks, illDomain }: WalkEvidence): Verdict {
  const timed = walks.filter(({ overhead }) => overhead !== null)
  const [ill, rollback] = walks.slice(-2)
  const overheads = timed.map(({ overhead }) => overhead ?? 0)
  const median = quantile(overheads, 0.5)
  const broken = walks.reduce((sum, { receipt }) => sum + receipt.totals.broken, 0)
  const lost = losses(load, phases)
  const illWalked = ill?.receipt.domains.map(({ domain }) => domain) ?? []
  const rolledBack = rollback?.receipt.domains.map(({ domain }) => domain) ?? []
  const failures = [
    ...lost,
    ...(broken > 0 ? [`${broken} × broken by the receipts`] : []),
    ...walks.flatMap(({ receipt }) =>
      receipt.complete ? [] : [`receipt of ${receipt.operation.id} is not complete: ${receipt.note}`],
    ),
    ...(median > MAX_OVERHEAD ? [`the median overhead is ${percent(median)}, above ${percent(MAX_OVERHEAD)}`] : []),
    ...(ill?.operation.status === 'RolledBack' ? [] : [`the ill version ended ${ill?.operation.status}`]),
    ...(rollback?.operation.status === 'Succeeded' ? [] : [`its rollback ended ${rollback?.operation.status}`]),
    ...(illWalked.at(-1) === illDomain ? [] : [`the ill version was given up after domain ${illWalked.at(-1)}`]),
  ]
  const rows = timed.flatMap(({ operation: { id }, domains }) =>
    domains.map(({ domain, drainMs, stopMs, startMs, stableMs, neededMs, tookMs }) => {
      return [id, domain, drainMs, stopMs, startMs, stableMs, neededMs, tookMs, tookMs - neededMs]
    }),
  )
  const steps = timed.flatMap(({ operation: { id }, domains }) =>
    domains.map(({ domain, steps: { told, ended, firstBegan, began, listened }, tookMs }) => {
      return [id, domain, told, ended, firstBegan, began, listened, tookMs]
    }),
  )
  const why = `the ill version: ${ill?.operation.error?.message}`
  const summary = table(
    ['measure', 'value'],
    [
      ['requests', load.records.length],
      ['lost, by the clients', lost.length === 0 ? 0 : `see below (${lost.length} kinds)`],
      ['broken, by the receipts', broken],
      ['overhead of each upgrade', overheads.map(percent).join(', ')],
      ['overhead, median', percent(median)],
      ['the ill version', `${ill?.operation.status}, after domains ${illWalked.join(', ')}`],
      ['its rollback', `${rollback?.operation.status}, of domains ${rolledBack.join(', ')}`],
    ],
  )
  return {
    failures,
    text: [
      printPhases(summarise(load.records, phases, 'phases')),
      printLoads(summarise(load.records, phases, 'loads')),
      `What the slowest instance of each domain needed, and what the domain took (ms)\n\n${table(['upgrade', 'domain', 'drain', 'stop', 'start', 'stable', 'needed', 'took', 'over'], rows)}`,
      `When it came to what, since the domain began (ms)\n\n${table(['upgrade', 'domain', 'last told', 'last ended', 'first began', 'last began', 'last listens', 'domain ended'], steps)}`,
      summary,
      why,
    ].join('\n\n'),
    json: {
      failures,
      rows: summarise(load.records, phases),
      overhead: { median, all: overheads },
      walks: walks.map(({ operation, receipt, domains, overhead }) => {
        return { operation, totals: receipt.totals, complete: receipt.complete, overhead, domains }
      }),
    },
  }
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`
}
