import t from 'tap'
import { inBatches, type Queued } from '../../../src/controller/batches.ts'
import type { Input } from '../../../src/fabric/input.ts'

const quiet = (input: Input): Queued => ({ input, check: null, done: null, failed: null })
const reached = (node: string): Input => ({ kind: 'agent-reached', node, revision: { term: 1, n: 1 } })
const kinds = (queue: readonly Queued[]): string[] =>
  inBatches(queue).map(({ input }) => (input.kind === 'observed' ? `${input.kind} ${input.batch.length}` : input.kind))

// The design's first rule: observations are folded in per batch, one pass per turn of the loop.
t.test('observations that follow one another are one input, and nothing changes its place', async t => {
  const tick: Input = { kind: 'tick' }
  const gone: Input = { kind: 'agent-disconnected', node: 'n1' }
  const queue = [reached('n1'), reached('n2'), gone, reached('n3'), tick, reached('n1'), reached('n1')].map(quiet)
  t.strictSame(kinds(queue), ['observed 2', 'agent-disconnected', 'agent-reached', 'tick', 'observed 2'])
  t.strictSame(inBatches([]), [])
})

t.test('an input whose outcome somebody waits for is by itself', async t => {
  const waited: Queued = { ...quiet(reached('n2')), done: () => undefined }
  t.strictSame(kinds([quiet(reached('n1')), waited, quiet(reached('n3'))]), Array(3).fill('agent-reached'))
})
