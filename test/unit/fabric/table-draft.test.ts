import t from 'tap'
import { deepFreeze } from '../../simulation/pure.ts'
import { RolesDraft } from '../../../src/fabric/table-draft.ts'
import type { RoleRecord } from '../../../src/fabric/state.ts'
import { Lab } from './lab.ts'
import { makeRelease } from '../../simulation/releases.ts'

function roles(): { base: Record<string, RoleRecord>; key: string } {
  const release = makeRelease('shop', '1.0.0')
  const lab = new Lab([release])
  lab.accept({ kind: 'create', service: 'shop', slot: 'production', package: release.digest, replace: false })
  lab.settle()
  const base = { ...lab.state.roles }
  deepFreeze(base)
  return { base, key: Object.keys(base)[0] ?? '' }
}

t.test('what is not asked for stays the very object of the base, and the base is never touched', async t => {
  const { base, key } = roles()
  const draft = new RolesDraft(base)
  const [first] = draft.editSome(key, [0])?.instances ?? []
  if (first !== undefined) first.hopeless = true
  const after = draft.finish()
  t.equal(after[key]?.instances[0]?.hopeless, true)
  t.equal(base[key]?.instances[0]?.hopeless, false)
  t.equal(after[key]?.instances[1], base[key]?.instances[1])
  t.equal(after[key]?.specs[after[key].target], base[key]?.specs[base[key].target])
})

t.test('edited as a whole after a part of it, all of it may be changed, and the part is kept', async t => {
  const { base, key } = roles()
  const draft = new RolesDraft(base)
  const [first] = draft.editSome(key, [0])?.instances ?? []
  if (first !== undefined) first.hopeless = true
  const whole = draft.edit(key)
  for (const instance of whole?.instances ?? []) instance.drained = true
  t.equal(whole?.instances[0], first)
  const [again] = draft.editSome(key, [1])?.instances ?? []
  t.equal(again, whole?.instances[1])
  t.strictSame(
    draft.finish()[key]?.instances.map(({ hopeless, drained }) => [hopeless, drained]),
    [
      [true, true],
      [false, true],
    ],
  )
})

t.test('asked for in two parts, each is copied once', async t => {
  const { base, key } = roles()
  const draft = new RolesDraft(base)
  const [first] = draft.editSome(key, [0])?.instances ?? []
  const [same, second] = draft.editSome(key, [0, 1])?.instances ?? []
  t.equal(same, first)
  t.not(second, base[key]?.instances[1])
  t.equal(draft.finish(), base, 'nothing differs')
})

t.test('what was put or deleted is what it is', async t => {
  const { base, key } = roles()
  const draft = new RolesDraft(base)
  draft.editSome(key, [0])
  draft.delete(key)
  t.equal(draft.editSome(key, [0]), undefined)
  t.strictSame(draft.keys(), [])
  const put = draft.put(key, { ...structuredClone(base[key] as RoleRecord), removedIncarnation: 7 }) // it is there
  t.equal(draft.editSome(key, [0])?.role, put)
})
