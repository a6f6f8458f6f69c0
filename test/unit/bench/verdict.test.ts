import t from 'tap'
import { checkSwaps } from '../../../bench/load/checker.ts'
import type { SwapWindow } from '../../../bench/load/checker.ts'
import { Records } from '../../../bench/load/records.ts'
import type { RequestRecord } from '../../../bench/load/records.ts'
import { quantile, table } from '../../../bench/report/table.ts'
import { judge } from '../../../bench/report/verdict.ts'
import type { Evidence } from '../../../bench/report/verdict.ts'
import { parseWrk } from '../../../bench/system/wrk.ts'
import type { ReceiptView } from '../../../src/contracts/api/receipt.ts'

// One swap of A (production) and B (staging): called at 100, done at 110, the next change called at 200.
const swap: SwapWindow = { callAt: 100, acknowledgedAt: 110, until: 200, was: { production: 'A', staging: 'B' } }

function request(vip: string, deployment: string, sentAt: number, headAt: number): RequestRecord {
  const same = { kind: 'get', loop: 'keep-alive', outcome: 'ok', status: 200, version: deployment } as const
  return { ...same, vip, deployment, startAt: sentAt, sentAt, headAt, doneAt: headAt }
}

const clean = [
  request('production', 'A', 90, 95),
  request('production', 'A', 99, 108),
  request('production', 'A', 101, 107),
  request('production', 'A', 103.5, 150),
  request('staging', 'B', 103, 112),
  request('production', 'B', 103, 106),
  request('staging', 'A', 104, 105),
  request('production', 'B', 120, 130),
  request('staging', 'A', 120, 130),
]

void t.test('a clean swap is judged clean, and its switch time is that of the last old request', async t => {
  const [check] = checkSwaps(clean, [swap])
  t.match(check, { judged: 7, violations: [], firstNewMs: 5 })
  t.equal(check?.lastOldMs, 3.5)
})

void t.test('a planted old answer after a new one is found, by the rule that it breaks', async t => {
  const plant = (...records: RequestRecord[]): unknown =>
    checkSwaps([...clean, ...records], [swap])[0]?.violations.map(each => [each.rule, each.vip, each.lateMs])
  t.strictSame(plant(request('production', 'A', 106.5, 107)), [['old-after-new', 'production', 0.5]])
  t.strictSame(plant(request('staging', 'B', 107, 109)), [['old-after-new', 'staging', 2]])
  t.strictSame(plant(request('production', 'A', 105.5, 109)), [['old-after-new-elsewhere', 'production', 0.5]])
  t.strictSame(plant(request('production', 'C', 101, 102)), [['stranger', 'production', 1]])
  const late = [request('production', 'A', 111, 112), request('production', 'B', 115, 116)]
  t.match(checkSwaps(late, [swap])[0]?.violations, [{ rule: 'old-after-acknowledgement', lateMs: 1 }])
})

void t.test('what may have met another map is not judged', async t => {
  const unsure = [
    // Sent before the call; held or slow, answered by the deployment that was there a swap ago.
    request('production', 'B', 60, 102),
    // Still under way when the next change was called for.
    request('production', 'A', 190, 205),
    // Another VIP altogether, and no answer.
    request('elsewhere', 'A', 120, 121),
    { ...request('production', 'A', 130, 0), outcome: 'reset' as const, status: 0 },
  ]
  t.match(checkSwaps([...clean, ...unsure], [swap])[0], { judged: 7, violations: [] })
})

void t.test('back and forth, each swap is judged by its own map', async t => {
  const back = { callAt: 200, acknowledgedAt: 210, until: 300, was: { production: 'B', staging: 'A' } }
  const then = [
    request('production', 'B', 201, 204),
    request('production', 'A', 202, 206),
    request('production', 'A', 220, 222),
  ]
  const checks = checkSwaps([...then, ...clean], [swap, back])
  t.strictSame(
    checks.map(check => check.violations),
    [[], []],
  )
  const [, bad] = checkSwaps([...then, ...clean, request('production', 'B', 207, 209)], [swap, back])
  t.match(bad?.violations, [{ rule: 'old-after-new', swap: 1 }])
})

void t.test('the verdict is clean for clean evidence and names each thing that is lost', async t => {
  const evidence = (more: RequestRecord[] = [], changed: Partial<Evidence> = {}): Evidence => {
    const records = new Records()
    for (const record of [...clean, ...more]) records.add(record)
    return {
      load: { records, webSockets: { sent: 5, echoed: 5, corrupt: 0, closes: [] } },
      phases: [{ name: 'swaps', from: 0, to: Infinity, socketsMayClose: false }],
      swaps: [swap],
      swapsBesideWrk: [],
      receipts: [receipt(2, 0)],
      wrk: undefined,
      ...changed,
    }
  }
  const verdict = judge(evidence())
  t.strictSame(verdict.failures, [])
  t.match(verdict.text, /switch, median ms +3\.50/)
  t.match(judge(evidence([], { receipts: [receipt(7.25, 0)] })).text, /switch, median ms +7\.25/)

  const failed = (...args: Parameters<typeof evidence>): string => judge(evidence(...args)).failures.join('; ')
  t.match(
    failed([{ ...request('production', '', 50, 0), outcome: 'reset' }]),
    /1 × get keep-alive on production in swaps: reset/,
  )
  t.match(
    failed([{ ...request('staging', '', 50, 51), outcome: 'status', status: 503 }]),
    /staging in swaps: status 503/,
  )
  t.match(failed([request('production', 'A', 106.5, 107)]), /swap 1: old-after-new on production, 0.50 ms late/)
  t.match(failed([], { receipts: [receipt(12, 0)] }), /median swap took 12.00 ms, not under 10/)
  t.match(failed([], { receipts: [receipt(2, 3)] }), /3 × broken by the receipts/)
  t.match(failed([], { receipts: [{ ...receipt(2, 0), complete: false, note: 'forced' }] }), /receipt of op-1: forced/)
  t.match(failed([], { swaps: [{ ...swap, callAt: 1000, until: 1100 }] }), /after 1 of 1 swaps no new answer was seen/)
  const wrk = parseWrk(
    '  9000 requests in 5.00s, 1.5MB read\n  Socket errors: connect 0, read 3, write 0, timeout 1\n  Non-2xx or 3xx responses: 2\n',
  )
  t.match(wrk, { requests: 9000, socketErrors: 4, badStatus: 2 })
  t.match(failed([], { wrk }), /wrk lost some/)
  const close = { vip: 'production', at: 50, deployment: 'A', unanswered: 0 }
  const sockets = (code: number, may: boolean): string => {
    const { load, phases } = evidence()
    const webSockets = { ...load.webSockets, closes: [{ ...close, code }] }
    return failed([], {
      load: { ...load, webSockets },
      phases: phases.map(each => ({ ...each, socketsMayClose: may })),
    })
  }
  t.match(sockets(1001, false), /WebSocket on production in swaps: closed \(1001\)/)
  t.equal(sockets(1001, true), '')
  t.match(sockets(1006, true), /cut without a close frame/)
})

void t.test('tables align, and quantiles are values that occurred', async t => {
  t.equal(
    table(
      ['name', 'n'],
      [
        ['a', 1],
        ['long', 12.345],
      ],
    ),
    ['name      n', '----  -----', 'a         1', 'long  12.35'].join('\n').replace('12.35', '12.35'),
  )
  t.equal(quantile([5, 1, 9], 0.5), 5)
  t.equal(quantile([5, 1, 9], 1), 9)
  t.equal(quantile([], 0.5), 0)
})

function receipt(switchMs: number, broken: number): ReceiptView {
  const totals = {
    arrived: 9,
    answered: 9 - broken,
    refused: 0,
    clientGone: 0,
    held: 0,
    heldMaxMs: 0,
    replayed: 0,
    open: 0,
  }
  return {
    operation: {
      id: 'op-1',
      kind: 'swap',
      service: 'bench',
      status: 'Succeeded',
      by: null,
      startedAt: '',
      progress: { step: '', percent: 100, message: '' },
    },
    by: null,
    from: {},
    to: {},
    complete: true,
    note: null,
    remarks: [],
    traffic: [],
    totals: { ...totals, broken, brokenBy: {} },
    domains: [],
    latency: { before: {}, during: {}, after: null },
    drained: null,
    switchMs,
  }
}
