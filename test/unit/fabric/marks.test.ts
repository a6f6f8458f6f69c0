import t from 'tap'
import { emptyRow } from '../../../src/model/ledger-row.ts'
import { marksOf } from '../../../src/fabric/marks.ts'
import type { MarkRecord } from '../../../src/fabric/state.ts'
import { deployed } from './upgrade-lab.ts'
import type { Lab } from './lab.ts'

const VIP = 'shop/production/web/http'
const mark = (lab: Lab, id: string, read = false, service = 'shop'): void => {
  lab.pass(1)
  lab.input({ kind: 'traffic-marked', id, service, label: read ? null : `label of ${id}`, read })
}

t.test('a mark keeps the counts of its service, also over a restart of the controller', async t => {
  const lab = deployed()
  const mine = { ...emptyRow(VIP, 'd1', '1.0.0'), arrived: 7, answered: 7 }
  lab.rows = [mine, { ...emptyRow('blog/production/web/http', 'd2', '1.0.0'), arrived: 9, answered: 9 }]
  lab.acknowledge()
  mark(lab, 'm-1')
  t.match(lab.events.at(-1), { kind: 'traffic-marked', service: 'shop', message: 'mark m-1: label of m-1' })
  const kept = lab.state.marks['m-1']
  t.strictSame(kept?.counts, { p1: [mine] })
  lab.restart()
  t.strictSame(lab.state.marks['m-1'], kept)
  mark(lab, 'm-2')
  t.strictSame(lab.state.marks['m-2']?.counts, { p1: null }, 'a proxy that has told nothing yet')
})

t.test('the same name again changes nothing; a service that is not there has no marks', async t => {
  const lab = deployed()
  mark(lab, 'm-1')
  const before = lab.state.marks
  mark(lab, 'm-1')
  mark(lab, 'm-2', false, 'nope')
  t.equal(lab.state.marks, before)
})

t.test('50 marks and the ends of 20 readings are kept, the newest; neither drives the other out', async t => {
  const lab = deployed()
  for (let n = 1; n <= 55; n++) mark(lab, `m-${n}`)
  for (let n = 1; n <= 25; n++) mark(lab, `r-${n}`, true)
  const marks = marksOf(lab.state, 'shop')
  t.strictSame([marks.length, marks[0]?.id, marks.at(-1)?.id], [50, 'm-6', 'm-55'])
  const read = Object.keys(lab.state.marks).filter(id => id.startsWith('r-'))
  t.strictSame([read.length, read.includes('r-5'), read.includes('r-6')], [20, false, true])
})

t.test('a clock that is set back makes no mark older than those before it', async t => {
  const lab = deployed()
  for (let n = 1; n <= 20; n++) mark(lab, `r-${n}`, true)
  for (let n = 1; n <= 50; n++) mark(lab, `m-${n}`)
  lab.ms -= 10_000
  mark(lab, 'r-21', true)
  mark(lab, 'm-51')
  t.ok(lab.state.marks['r-21'], 'it is there to be counted from')
  t.notOk(lab.state.marks['r-1'])
  t.strictSame([marksOf(lab.state, 'shop')[0]?.id, marksOf(lab.state, 'shop').at(-1)?.id], ['m-2', 'm-51'])
})

t.test('marks of a journal that did not number them come before all others', async t => {
  const lab = deployed()
  mark(lab, 'm-1')
  const { revision: _none, ...old } = lab.state.marks['m-1'] ?? {}
  lab.state = { ...lab.state, marks: { 'm-1': old as MarkRecord } } // as an earlier version wrote it
  lab.restart()
  mark(lab, 'm-2')
  t.strictSame(
    marksOf(lab.state, 'shop').map(({ id }) => id),
    ['m-1', 'm-2'],
  )
})
