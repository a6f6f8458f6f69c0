import fc from 'fast-check'
import t from 'tap'
import { clonePlain, samePlain } from '../../../src/core/plain.ts'

const plain = fc.jsonValue({ maxDepth: 4 })

t.test('a clone is equal, and shares nothing that can be changed', async t => {
  fc.assert(
    fc.property(plain, value => {
      const copy = clonePlain(value)
      t.equal(JSON.stringify(copy), JSON.stringify(value))
      if (typeof value === 'object' && value !== null) t.not(copy, value)
    }),
  )
  const record = { inner: { list: [{ n: 1 }] }, gone: undefined }
  const copy = clonePlain(record)
  t.strictSame(copy, record)
  copy.inner.list.push({ n: 2 })
  t.equal(record.inner.list.length, 1)
})

t.test('a key called __proto__ is a key', async t => {
  const record = JSON.parse('{"__proto__": {"a": 1}, "b": {"__proto__": []}}') as object // as a journal gives it back
  const copy = clonePlain(record)
  t.equal(JSON.stringify(copy), JSON.stringify(record))
  t.equal(Object.getPrototypeOf(copy), Object.prototype)
  t.ok(samePlain(copy, record))
  t.notOk(samePlain({}, JSON.parse('{"__proto__": {"a": 1}}')))
})

t.test('the same is what JSON says is the same', async t => {
  fc.assert(
    fc.property(plain, plain, (a, b) => {
      t.ok(samePlain(a, clonePlain(a)))
      t.equal(samePlain(a, b), JSON.stringify(sorted(a)) === JSON.stringify(sorted(b)))
    }),
  )
  t.ok(samePlain({ a: 1, b: undefined }, { a: 1 }))
  t.ok(samePlain({ a: 1 }, { b: undefined, a: 1 }))
  t.notOk(samePlain({ a: 1 }, { a: 1, b: null }))
  t.notOk(samePlain({ a: 1, b: 0 }, { a: 1 }))
  t.notOk(samePlain([], {}))
  t.notOk(samePlain({}, []))
  t.notOk(samePlain([1, 2], [1]))
  t.notOk(samePlain({ constructor: 1 }, {}))
})

/** With its keys in order: -0 is 0 in JSON. */
function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(sorted)
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  )
}
