import t from 'tap'
import { resumeAfter } from '../../../src/controller/resume-after.ts'

const KEPT = [{ seq: 8 }, { seq: 9 }, { seq: 10 }]
const NEXT = 11

t.test('the timeline goes on after an event that is kept, and at its edge', async t => {
  t.strictSame(resumeAfter(KEPT, NEXT, 9), { missed: 0, history: [{ seq: 10 }] })
  t.strictSame(resumeAfter(KEPT, NEXT, 10), { missed: 0, history: [] })
  t.strictSame(resumeAfter(KEPT, NEXT, 7), { missed: 0, history: KEPT })
})

t.test('what followed an older one and is not kept is counted', async t => {
  t.strictSame(resumeAfter(KEPT, NEXT, 6), { missed: 1, history: KEPT })
  t.strictSame(resumeAfter(KEPT, NEXT, 1), { missed: 6, history: KEPT })
  t.strictSame(resumeAfter([], NEXT, 4), { missed: 6, history: [] })
})

t.test('all that is kept is no gap, and a number of another timeline is none of this', async t => {
  t.strictSame(resumeAfter(KEPT, NEXT, 0), { missed: 0, history: KEPT })
  t.strictSame(resumeAfter(KEPT, NEXT, 11), { missed: 0, history: KEPT })
  t.strictSame(resumeAfter(KEPT, NEXT, 5000), { missed: 0, history: KEPT })
})
