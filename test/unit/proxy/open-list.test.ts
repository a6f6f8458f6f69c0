import fc from 'fast-check'
import t from 'tap'
import { OpenList, type Listed } from '../../../proxy/routing/open-list.ts'

void t.test('it holds what a Set would hold, whatever comes and goes', t => {
  const step = fc.record({ item: fc.nat(9), adds: fc.boolean() })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), steps => {
      const items = Array.from({ length: 10 }, (_, name) => ({ name, openAt: 0 }))
      const list = new OpenList<Listed>()
      const model = new Set<Listed>()
      for (const { item: at, adds } of steps) {
        const item = items[at]
        if (item === undefined) continue
        if (!adds) {
          list.delete(item)
          model.delete(item)
        } else if (!model.has(item)) {
          list.add(item)
          model.add(item)
        }
        if (list.size !== model.size || list.all().some(each => !model.has(each))) return false
      }
      return true
    }),
  )
  t.end()
})

void t.test('who leaves while all are told disturbs nobody', t => {
  const list = new OpenList<{ openAt: number; leave: () => void }>()
  let told = 0
  for (let count = 0; count < 5; count++) {
    const item = {
      openAt: 0,
      leave() {
        told++
        list.delete(item)
      },
    }
    list.add(item)
  }
  for (const item of list.all()) item.leave()
  t.equal(told, 5)
  t.equal(list.size, 0)
  t.end()
})
