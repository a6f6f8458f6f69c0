import t from 'tap'
import type { Line } from '../system/faults/history/line.ts'
import { linearize, type Step } from './linearize.ts'
import { call, ended } from './made.ts'
import { historyOf } from './recording.ts'
import { checkRegister } from './register.ts'

t.test('linearize', async t => {
  // A register of one number.
  const write = (value: number, from: number, to: number): Step<number> => {
    return { name: `write ${value}`, from, to, apply: () => value }
  }
  const read = (value: number, from: number, to: number): Step<number> => {
    return { name: `read ${value}`, from, to, apply: state => (state === value ? state : null) }
  }
  t.ok(linearize([write(1, 0, 10), read(0, 1, 9), read(1, 1, 9)], 0).ok, 'either way, while it is being written')
  t.ok(linearize([write(1, 0, 10), write(2, 0, 10), read(2, 11, 12), read(2, 13, 14)], 0).ok)
  t.notOk(linearize([write(1, 0, 10), read(1, 1, 4), read(0, 5, 9)], 0).ok, 'not back')
  t.notOk(linearize([write(1, 0, 10), write(2, 0, 10), read(2, 11, 12), read(1, 13, 14)], 0).ok)
  const stuck = linearize([write(1, 0, 10), read(0, 11, 12)], 0)
  t.same(stuck, { ok: false, explained: 1, stuck: ['after 1: none of', 'read 0'] })
  const many = Array.from({ length: 40 }, (_, n) => write(n, n * 10, n * 10 + 25))
  t.ok(linearize([...many, read(39, 500, 501)], 0).ok, 'forty that overlap')
  t.notOk(linearize([...many, read(7, 500, 501)], 0).ok, 'and no order of them explains it')
})

t.test('admin API as a register', async t => {
  const read = (at: number, production: string | null, staging: string | null, operation: string | null = null): Line =>
    call({ call: 'read', start: at, end: at + 1, seen: { production, staging, operation } })
  const judge = (...lines: Line[]): string[] =>
    checkRegister(historyOf(lines)).violations.map(({ text }) => text.replace(/;.*/, ''))
  const broken = ['round 1: no order of its calls explains them all']

  t.test('a swap is accepted, runs, takes effect and ends', async t => {
    const swap = [
      call({ call: 'swap', start: 10, end: 20, operation: 'op-1', expect: { production: 'a', staging: 'b' } }),
      ended('op-1', 10, 60),
    ]
    t.same(
      judge(read(0, 'a', 'b'), ...swap, read(30, 'a', 'b', 'op-1'), read(40, 'b', 'a', 'op-1'), read(70, 'b', 'a')),
      [],
    )
    t.same(judge(read(0, 'a', 'b'), ...swap, read(70, 'a', 'b')), broken, 'it was acknowledged and is not there')
    t.same(judge(read(0, 'a', 'b'), ...swap, read(30, 'b', 'a', 'op-1'), read(40, 'a', 'b', 'op-1')), broken, 'undone')
    t.same(judge(read(0, 'a', 'b'), ...swap, read(30, 'b', 'b', 'op-1')), broken, 'half of it')
    t.same(judge(read(0, 'a', 'b'), read(5, 'b', 'a'), ...swap), broken, 'before it was asked for')
    t.same(judge(read(0, 'x', 'b'), ...swap), broken, 'its expectation was not so')
    t.same(judge(read(0, 'a', 'b'), ...swap, read(70, 'b', 'a', 'op-2')), broken, 'an operation nobody asked for')
  })
  t.test('of two swaps at once one is refused, and a repeated one is made once', async t => {
    const first = call({ call: 'swap', start: 10, end: 30, operation: 'op-1' })
    const second = call({ call: 'swap', start: 10, end: 30, client: 'b', code: 'operation_in_progress' })
    t.same(judge(read(0, 'a', 'b'), first, second, ended('op-1', 10, 40), read(50, 'b', 'a')), [])
    const both = { ...second, code: null, outcome: 'accepted' as const, operation: 'op-2' }
    const ends = [ended('op-1', 10, 40), ended('op-2', 10, 45)]
    t.same(judge(read(0, 'a', 'b'), first, both, ...ends, read(50, 'a', 'b')), [], 'one after the other')
    t.same(judge(read(0, 'a', 'b'), first, both, ...ends, read(50, 'b', 'a')), broken, 'two swaps are none')
    t.same(judge(read(0, 'a', 'b'), second), broken, 'refused for nothing')
  })
  t.test('a creation and what deletes it while it starts', async t => {
    const create = call({ call: 'create', start: 10, end: 20, operation: 'op-1' })
    const drop = call({ call: 'delete', start: 25, end: 30, operation: 'op-2' })
    const lines = [read(0, 'a', null), create, read(22, 'a', 'b', 'op-1'), drop, read(32, 'a', 'b', 'op-2')]
    const ends = [ended('op-1', 10, 35, 'Cancelled', 'b'), ended('op-2', 25, 50)]
    t.same(judge(...lines, ...ends, read(60, 'a', null)), [])
    t.same(judge(...lines, ...ends, read(60, 'a', 'b')), broken)
    t.same(judge(read(0, 'a', 'b'), create, ended('op-1', 10, 35, 'Succeeded', 'c')), broken, 'the slot was taken')
    t.same(judge(read(0, 'a', null), call({ call: 'create', start: 1, end: 2, code: 'slot_occupied' })), broken)
    t.same(judge(read(0, 'a', null), call({ call: 'delete', start: 1, end: 2, code: 'slot_empty' })), [])
    t.same(judge(read(0, 'a', null), call({ call: 'delete', start: 1, end: 2, code: 'internal' })), broken)
  })
  t.test('a creation in the slot that a deletion has emptied, before that has ended', async t => {
    const drop = call({ call: 'delete', start: 10, end: 20, operation: 'op-1' })
    const create = call({ call: 'create', start: 25, end: 30, operation: 'op-2' })
    const ends = [ended('op-1', 10, 50, 'Succeeded', 'b'), ended('op-2', 25, 70, 'Succeeded', 'c')]
    const lines = [read(0, 'a', 'b'), drop, create, ...ends]
    t.same(judge(...lines, read(35, 'a', 'c', 'op-1'), read(60, 'a', 'c', 'op-2'), read(80, 'a', 'c')), [])
    t.same(judge(...lines, read(35, 'a', 'b', 'op-1')), broken, 'the deleted one is there again')
    t.same(judge(...lines, read(60, 'a', 'c', 'op-1')), broken, 'the deletion is over')
  })
  t.test('rounds are judged by themselves, and not where an answer never came', async t => {
    const lines = [read(0, 'a', 'b'), { ...call({ call: 'swap', start: 1, end: 2 }), outcome: 'unknown' as const }]
    t.equal(checkRegister(historyOf(lines)).judged, 0)
    const next = {
      ...call({ call: 'read', start: 9, end: 10, seen: { production: 'x', staging: null, operation: null } }),
      round: 2,
    }
    t.equal(checkRegister(historyOf([...lines, next])).judged, 1)
  })
})
