import t from 'tap'
import { Records } from '../../../bench/load/records.ts'
import { costs, overheadOf, processesOf } from '../../../bench/walk/timeline.ts'
import { judgeWalks, type Walk, type WalkEvidence } from '../../../bench/walk/verdict.ts'
import type { OperationView } from '../../../src/contracts/api/operation.ts'
import type { ReceiptView } from '../../../src/contracts/api/receipt.ts'

type Mark = Parameters<typeof processesOf>[0][number]

function life(instance: string, pid: number, times: Partial<Record<Mark['what'], number>>, lastAnswerAt = 0): Mark[] {
  const domain = Number(instance.at(-1))
  return Object.entries(times).map(([what, at]) => ({
    what: what as Mark['what'],
    at,
    instance,
    pid,
    domain,
    lastAnswerAt,
  }))
}

const at = (ms: number): string => new Date(ms).toISOString()
const walked = (
  domain: number,
  startedAt: number,
  endedAt: number,
  instances: number,
): ReceiptView['domains'][number] => ({
  domain,
  startedAt: at(startedAt),
  arrivedAt: null,
  endedAt: at(endedAt),
  instances,
})

// Domain 0 goes down at 1,000 and is done at 1,700: of its two instances the second one needs more.
const marks = [
  ...life('a0', 1, { began: 0, listens: 100, told: 1060, ended: 1070 }, 1050),
  ...life('a0', 2, { began: 1100, listens: 1200 }),
  ...life('b0', 3, { began: 0, listens: 100, told: 1150, ended: 1160 }, 1140),
  ...life('b0', 4, { began: 1200, listens: 1350 }),
  ...life('c1', 5, { began: 0, listens: 100 }),
]

t.test('a domain needs what the slowest of its instances needs, and the stable time', async t => {
  const [cost] = costs(processesOf(marks), [walked(0, 1000, 1700, 2)], 200)
  t.match(cost, { drainMs: 140, stopMs: 10, startMs: 150, stableMs: 200, neededMs: 500, tookMs: 700 })
  t.match(cost?.steps, { told: 150, ended: 160, firstBegan: 100, began: 200, listened: 350 })
  t.equal(overheadOf(cost === undefined ? [] : [cost], 750), 0.5)
})

t.test('a last answer from before the walk is no drain', async t => {
  const early = [
    ...life('a0', 1, { began: 0, listens: 1, told: 1060, ended: 1070 }, 990),
    ...life('a0', 2, { began: 1100, listens: 1200 }),
  ]
  t.match(costs(processesOf(early), [walked(0, 1000, 1400, 1)], 0)[0], { drainMs: 0, neededMs: 110 })
})

t.test('what does not tell of itself is an error, not a shorter time', async t => {
  t.throws(() => costs(processesOf(marks), [walked(0, 1000, 1700, 3)], 0), /moved 3 instances, 2 of them/)
  const silent = marks.filter(({ pid }) => pid !== 4)
  t.throws(() => costs(processesOf(silent), [walked(0, 1000, 1700, 2)], 0), /moved 2 instances, 1 of them/)
})

function walk(status: OperationView['status'], overhead: number | null, domains: number[], broken = 0): Walk {
  const operation = { id: 'op-2', status } as OperationView
  const receipt = {
    operation,
    complete: true,
    totals: { broken },
    domains: domains.map(domain => walked(domain, 0, 1, 1)),
  } as unknown as ReceiptView
  return { operation, receipt, domains: [], overhead }
}

t.test('the verdict: overhead, losses, and the rollback of the version that falls ill', async t => {
  const judged = (walks: Walk[]): readonly string[] =>
    judgeWalks({
      load: { records: new Records(), webSockets: { closes: [], corrupt: 0 } } as unknown as WalkEvidence['load'],
      phases: [],
      walks,
      illDomain: 1,
    }).failures
  const undone = [walk('RolledBack', null, [0, 1]), walk('Succeeded', null, [1, 0])]
  t.strictSame(judged([walk('Succeeded', 0.1, [0]), ...undone]), [])
  t.match(judged([walk('Succeeded', 0.11, [0]), ...undone]), [/overhead is 11\.0 %/])
  t.match(judged([walk('Succeeded', 0, [0], 2), ...undone]), [/2 × broken/])
  t.match(judged([walk('Succeeded', 0, [0]), walk('Succeeded', null, [0, 1, 2]), walk('Failed', null, [])]), [
    /ill version ended Succeeded/,
    /rollback ended Failed/,
    /after domain 2/,
  ])
})
