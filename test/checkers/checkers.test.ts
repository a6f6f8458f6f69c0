import { appendFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Line } from '../system/faults/history/line.ts'
import { tempDir } from '../support/temp.ts'
import type { ProcessesLine, StreamLine } from './lines.ts'
import { event, instance, noted, operation, request } from './made.ts'
import { checkOnce } from './once.ts'
import { availabilityOf } from './availability.ts'
import { checkLosses, killWords } from './losses.ts'
import { checkOrphans } from './orphans.ts'
import { historyIn, historyOf } from './recording.ts'
import { checkStreams } from './streams.ts'
import { checkSwapHistory } from './swap-history.ts'
import type { Verdict } from './verdict.ts'
import { checkDomains, checkDrains, checkVersions } from './walk.ts'

function texts({ violations }: Verdict): string[] {
  return violations.map(({ text }) => text)
}

t.test('a recording is read by kinds of lines, and what was cut off at its end is left out', async t => {
  const file = join(tempDir(t), 'r.jsonl')
  const lines = Array.from({ length: 2500 }, (_, n) => request({ start: n, end: n + 1, client: 'ü'.repeat(n % 600) }))
  writeFileSync(file, lines.map(line => `${JSON.stringify(line)}\n`).join(''))
  appendFileSync(file, `${JSON.stringify(event('note', 1, '{"type":"request"}'))}\n{"type":"request","cli`)
  const history = historyIn(file)
  t.same([...history.lines('request')], lines, 'over the borders of what is read at once')
  t.equal([...history.lines('event')].length, 1)
  t.equal([...history.lines('request', 'event')].length, 2501)
})

t.test('swap history', async t => {
  // d1 in production, d2 in staging from 20 on; a swap from 100 to 110.
  const before: Line[] = [
    event('operation-started', 0, 'deploy shop 1.0.0 to production as d1', { operation: 'op-1' }),
    event('operation-started', 10, 'deploy shop 2.0.0 to staging as d2', { operation: 'op-2' }),
    operation('create production', 'op-1', 0, 5),
    operation('create staging', 'op-2', 10, 20),
  ]
  const swapped: Line[] = [
    event('swapped', 105, 'production is d2, staging is d1', { operation: 'op-3' }),
    operation('swap', 'op-3', 100, 110),
  ]
  const old = (start: number, end: number, vip = 'production'): Line =>
    request({ start, end, vip, deployment: vip === 'production' ? 'd1' : 'd2' })
  const fresh = (start: number, end: number, vip = 'production'): Line =>
    request({ start, end, vip, deployment: vip === 'production' ? 'd2' : 'd1' })
  const judge = (...lines: Line[]): Verdict => checkSwapHistory(historyOf([...before, ...swapped, ...lines]), 'shop')

  t.test('one instant for both addresses explains all', async t => {
    const verdict = judge(old(90, 104), fresh(101, 106), old(104, 300), fresh(106, 120, 'staging'), fresh(111, 112))
    t.same(texts(verdict), [])
    t.equal(verdict.judged, 5)
  })
  t.test('an old answer to a request that began after a new one had come', async t => {
    const [text] = texts(judge(fresh(101, 103), old(104, 106)))
    t.match(text, /^swap op-3 was no one step: 1\.0 ms apart, still production answered by d1/)
  })
  t.test('the same over the two addresses', async t => {
    t.equal(texts(judge(fresh(101, 103, 'staging'), old(104, 106))).length, 1)
  })
  t.test('an old answer after the acknowledgement', async t => {
    t.match(texts(judge(old(111, 112))), ['stranger: production answered by d1'])
  })
  t.test('a new answer before the call', async t => {
    t.match(texts(judge(fresh(50, 60))), ['stranger: production answered by d2'])
  })
  t.test('an answer by what is in neither slot', async t => {
    t.match(texts(judge(request({ start: 50, end: 60, deployment: 'd9' }))), ['stranger: production answered by d9'])
  })
  t.test('a swap whose caller is not known is bounded by its event', async t => {
    const history = historyOf([...before, event('swapped', 5000, 'production is d2, staging is d1'), old(8000, 8001)])
    t.equal(texts(checkSwapHistory(history, 'shop')).length, 1)
  })
  t.test('what was deleted answers no more', async t => {
    const gone: Line[] = [
      event('operation-started', 200, 'delete d1 in staging', { operation: 'op-4' }),
      operation('delete staging', 'op-4', 200, 210),
    ]
    t.same(texts(judge(...gone, fresh(195, 205, 'staging'))), [])
    t.equal(texts(judge(...gone, fresh(211, 212, 'staging'))).length, 1)
  })
  t.test('who lasts over a swap and its reverse says nothing', async t => {
    const back = [
      event('swapped', 205, 'production is d1, staging is d2', { operation: 'op-5' }),
      operation('swap', 'op-5', 200, 210),
    ]
    t.equal(judge(...back, old(90, 300)).judged, 0)
  })
})

t.test('one domain at a time', async t => {
  const out = { routing: 'out', status: 'StoppingRole' } as const
  const other = { id: 'web_IN_1', upgradeDomain: 1 }
  const together = [instance(0), instance(0, other), instance(10, out), instance(20, { ...other, ...out })]
  const verdict = checkDomains(historyOf([...together, operation('upgrade', 'op-1', 5, 100)]))
  t.same(texts(verdict), ['web_IN_0 (domain 0) and web_IN_1 (domain 1) of d1 were out together'])
  t.equal(verdict.judged, 2)
  const after = [instance(0), instance(0, other), instance(10, out), instance(20), instance(20, { ...other, ...out })]
  t.same(texts(checkDomains(historyOf(after))), [], 'one after the other')
  const same = together.map(line => ({ ...line, upgradeDomain: 0 }))
  t.same(texts(checkDomains(historyOf(same))), [], 'two of one domain')
  for (const call of ['upgrade production simultaneous', 'scale to 2', 'suspend']) {
    t.same(texts(checkDomains(historyOf([...together, operation(call, 'op-1', 5, 100)]))), [], call)
  }
  const suspended = event('operation-started', 900, 'suspend d1 in production', { operation: 'op-9' })
  t.same(texts(checkDomains(historyOf([...together, suspended]))), [], 'asked for by somebody else')
  const reason = event('operation-started', 900, 'rollback of d1: it did not start', { operation: 'op-9' })
  t.equal(texts(checkDomains(historyOf([...together, reason]))).length, 1)
  const died = event('instance-not-ready', 9, 'web_IN_0 left the table', { deployment: 'd1', instance: 'web_IN_0' })
  const [a, b, ...rest] = together
  t.same(texts(checkDomains(historyOf([a, b, died, ...rest].filter(line => line !== undefined)))), [], 'it died')
  const starts = [instance(0), instance(10, out), instance(20, { ...other, ...out })]
  t.same(texts(checkDomains(historyOf(starts))), [], 'one of them was not there before')
})

t.test('drained before it is stopped', async t => {
  const life = (open = 0): Line[] => [
    noted('listens', 0),
    instance(1),
    instance(10_000, { routing: 'draining' }),
    instance(12_000, { routing: 'out', status: 'StoppingRole' }),
    noted('told', 12_100, { open }),
    instance(12_900, { routing: 'out', status: 'StartingRole', pid: null }),
    noted('listens', 13_000, { pid: 201, group: 200 }),
    instance(13_100, { pid: 200 }),
  ]
  const judge = (...lines: Line[]): Verdict => checkDrains(historyOf([...life(), ...lines]), 5000)
  const good = judge(request({ start: 500, end: 11_900 }), request({ start: 12_500, end: 13_050 }))
  t.same(texts(good), [], 'the second waited for the next process')
  t.equal(good.judged, 3)
  t.match(texts(judge(request({ start: 12_050, end: 12_090 }))), [
    /^d1\/web_IN_0 answered a request that began 50\.0 ms after it was out of the table/,
  ])
  t.match(texts(checkDrains(historyOf(life(2)), 5000)), [
    /got SIGTERM while it answered 2, after 2100\.0 ms of draining/,
  ])
  t.same(texts(checkDrains(historyOf(life(2)), 2000)), [], 'its drain time was over')
  const unseen = [noted('listens', 0), noted('told', 2100)]
  t.match(texts(checkDrains(historyOf([...unseen, request({ start: 2150, end: 2200 })]), 3000)), [/after its SIGTERM/])
  t.equal(checkDrains(historyOf([request({ start: 0, end: 1 })]), 3000).judged, 0, 'without notes nothing is judged')
})

t.test('versions go back only in a rollback', async t => {
  const back = [instance(0), instance(10, { version: '2.0.0' }), instance(20, { version: '1.0.0' })]
  t.same(texts(checkVersions(historyOf(back))), ['d1/web_IN_0 went from 2.0.0 back to 1.0.0 outside of a rollback'])
  t.same(texts(checkVersions(historyOf([...back, operation('rollback', 'op-2', 15, 30)]))), [])
  const failed = event('upgrade-failed', 12, 'HealthCheck', { deployment: 'd1' })
  t.same(texts(checkVersions(historyOf([...back, failed]))), [], 'one that a rule began')
  const far = [instance(0, { version: '9.0.0' }), instance(10, { version: '10.0.0' })]
  t.same(texts(checkVersions(historyOf(far))), [], 'compared as versions')
})

t.test('exactly once', async t => {
  const post = (nonce: string, outcome: 'ok' | 'reset' = 'ok'): Line =>
    request({ start: 1, end: 2, method: 'POST', nonce, outcome })
  const executed = (nonce: string): Line => {
    return { type: 'executed', at: 1, nonce, instance: 'web_IN_0', deployment: 'd1', pid: 1 }
  }
  const judge = (...lines: Line[]): string[] => texts(checkOnce(historyOf(lines)))
  t.same(judge(post('a'), executed('a'), post('b', 'reset'), executed('b'), post('c', 'reset')), [])
  t.match(judge(post('a'), executed('a'), executed('a')), [/a on production was carried out 2 times/])
  t.match(judge(post('a')), [/answered 200, and nobody carried it out/])
  t.match(judge(executed('a')), [/which nobody sent/])
})

t.test('orphans', async t => {
  const process = { pid: 101, group: 100, deployment: 'd1', instance: 'web_IN_0', ports: [], command: 'node' }
  const good: ProcessesLine = {
    type: 'processes',
    at: 1,
    listed: [{ deployment: 'd1', instance: 'web_IN_0', pid: 100 }],
    found: [process, { ...process, pid: 1, group: 1, deployment: '', instance: '' }],
  }
  const judge = (line: Partial<ProcessesLine>): string[] => texts(checkOrphans(historyOf([{ ...good, ...line }])))
  t.same(judge({}), [])
  t.match(judge({ listed: [] }), [/^process 101 of d1\/web_IN_0 is in no group that the controller lists: node/])
  const left = { ...process, pid: 201, group: 200, ports: [8080] }
  t.match(judge({ found: [...good.found, left] }), [
    /201 of d1\/web_IN_0, listening on 8080 is in no group/,
    /runs 2 times/,
  ])
  t.match(judge({ found: [] }), [/should be group 100, which is not there/])
})

t.test('streams end with their instance', async t => {
  const stream = (line: Partial<StreamLine>): StreamLine => {
    const whose = { vip: 'production', deployment: 'd1', instance: 'web_IN_0' }
    return { type: 'stream', kind: 'websocket', ...whose, start: 0, end: 5000, how: 'closed 1001', ...line }
  }
  const judge = (...lines: Line[]): string[] => texts(checkStreams(historyOf(lines), 3000))
  t.same(judge(stream({}), noted('told', 5100)), [])
  t.same(judge(stream({ end: 7000 }), noted('told', 5100)), [], 'seen late by a busy client')
  t.equal(judge(stream({ start: 6000, end: 7000 }), noted('told', 5100)).length, 1, 'that was the process before')
  t.same(
    judge(stream({}), operation('replace proxy', 'op-1', 4000, 6000)),
    [],
    'the old proxy ends what lasts too long',
  )
  t.equal(judge(stream({}), operation('replace proxy', 'op-1', 5100, 6000)).length, 1)
  t.match(judge(stream({})), [/closed 1001, and its instance was not being stopped/])
  t.match(judge(stream({ how: 'closed 1006' }), noted('told', 5100)), [/without a close frame/])
  t.match(judge(stream({ how: 'corrupt' }), noted('told', 5100)), [/corrupt/])
  t.same(judge(stream({ how: 'closed 1006' }), { type: 'injected', at: 4990, what: 'SIGKILL' }), [])
})

t.test('requests are lost only by what may lose them', async t => {
  const lost = (method: 'GET' | 'POST', start: number, end: number): Line =>
    request({ method, start, end, outcome: 'reset', instance: '' })
  const kill = (victim: Parameters<typeof killWords>[0]): Line => {
    return { type: 'injected', at: 1000, what: killWords(victim, 'x') }
  }
  const judge = (...lines: Line[]): number => checkLosses(historyOf(lines)).violations.length
  t.equal(judge(request({ start: 1, end: 2 })), 0)
  t.equal(judge(lost('GET', 990, 1010)), 1, 'in planned work none')
  const refused = request({ start: 500, end: 510, vip: 'staging', outcome: 'status', status: 503, instance: '' })
  const emptied = [operation('delete staging', 'op-1', 400, 450), operation('create staging', 'op-2', 460, 600)]
  t.equal(judge(refused), 1)
  t.equal(judge(refused, ...emptied), 0, 'an empty slot answers 503')
  t.equal(judge({ ...refused, vip: 'production' }, ...emptied), 1)
  t.equal(judge({ ...refused, start: 700, end: 710 }, ...emptied), 1)
  t.equal(judge(kill('an instance'), lost('POST', 990, 1010)), 0, 'a POST that was on a killed instance')
  t.equal(judge(kill('an instance'), lost('GET', 990, 1010)), 1, 'a GET is repeated')
  t.equal(judge(kill('an instance'), lost('POST', 900, 990)), 1, 'before it')
  t.equal(judge(kill('an instance'), lost('POST', 1500, 1510)), 1, 'long after it')
  t.equal(judge(kill('a proxy worker'), lost('GET', 990, 1010)), 0, 'a killed worker takes its connections with it')
  t.equal(judge(kill('a proxy worker'), lost('GET', 2100, 2110)), 1, 'and is back within a second')
  for (const victim of ['an agent', 'the controller'] as const) t.equal(judge(kill(victim), lost('POST', 990, 1010)), 1)
})

t.test('availability is counted by the second', async t => {
  const lines = [request({ start: 100, end: 200 }), request({ start: 1100, end: 1950 })]
  const lost = [
    request({ start: 1200, end: 1300, outcome: 'status', status: 503 }),
    request({ start: 1300, end: 1400 }),
  ]
  const count = { vip: 'production', seconds: 2, slowestMs: 850 }
  t.same(availabilityOf(historyOf(lines)), [{ ...count, requests: 2, lost: 0, good: 2 }])
  t.same(availabilityOf(historyOf([...lines, ...lost])), [{ ...count, requests: 4, lost: 1, good: 1 }])
})
