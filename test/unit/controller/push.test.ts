import t from 'tap'
import { LatestPush } from '../../../src/controller/links/push.ts'

interface Value {
  readonly revision: { term: number; n: number }
  readonly content: string
}

const value = (n: number, content: string): Value => ({ revision: { term: 1, n }, content })

function recorder() {
  const sent: Value[] = []
  const latest = new LatestPush<Value>(it => sent.push(it))
  const push = {
    offer: (it: Value) => latest.offer(it, it.content),
    acknowledge: latest.acknowledge.bind(latest),
    covered: latest.covered.bind(latest),
    refused: latest.refused.bind(latest),
  }
  return { sent, push, revisions: () => sent.map(it => it.revision.n) }
}

t.test('one push is outstanding at a time and the newest wins', async t => {
  const { push, revisions } = recorder()
  push.offer(value(1, 'a'))
  push.offer(value(2, 'b'))
  push.offer(value(3, 'c'))
  t.same(revisions(), [1], 'nothing more before the first is acknowledged')
  push.acknowledge({ term: 1, n: 1 })
  t.same(revisions(), [1, 3], 'the one in between was never needed')
})

t.test('a state of equal content is not sent again and is acknowledged with the one sent', async t => {
  const { push, revisions } = recorder()
  push.offer(value(1, 'a'))
  t.equal(push.offer(value(2, 'a')), false, 'not acknowledged yet')
  t.same(push.acknowledge({ term: 1, n: 1 }), { term: 1, n: 2 }, 'stands for both')
  t.equal(push.offer(value(3, 'a')), true, 'known to be there')
  t.same(push.covered({ term: 1, n: 1 }), { term: 1, n: 3 }, 'a count under what was sent is as new')
  t.same(revisions(), [1])
})

t.test('content that changed and changed back while a push was out is settled by what was sent last', async t => {
  const { push, revisions } = recorder()
  push.offer(value(1, 'a'))
  push.offer(value(2, 'b'))
  push.offer(value(3, 'a'))
  push.acknowledge({ term: 1, n: 1 })
  t.same(revisions(), [1, 3])
})

t.test('an acknowledgement of something older settles nothing', async t => {
  const { push, revisions } = recorder()
  push.offer(value(5, 'a'))
  push.offer(value(6, 'b'))
  t.same(push.acknowledge({ term: 1, n: 4 }), { term: 1, n: 4 })
  t.same(revisions(), [5])
})

t.test('what a peer refused is sent again once it is newer', async t => {
  const { push, revisions } = recorder()
  push.offer(value(1, 'a'))
  push.refused()
  push.offer(value(2, 'a'))
  t.same(revisions(), [1, 2])
})
