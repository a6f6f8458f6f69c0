import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { openLevelStore } from '../../../src/store/level-store.ts'
import type { Change } from '../../../src/store/store.ts'
import { tempDir } from '../../support/temp.ts'

// Few keys that are prefixes of one another, so that changes meet.
const key = fc.oneof(
  fc.constantFrom('a', 'a/', 'a/1', 'a/10', 'b', 'ä', '\uffff', '😀'),
  fc.string({ minLength: 1, maxLength: 6, unit: 'grapheme' }),
)
const change = fc.record({ key, value: fc.option(fc.jsonValue(), { nil: undefined }) })
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant('commit' as const), changes: fc.array(change, { maxLength: 6 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('stale' as const), changes: fc.array(change, { maxLength: 3 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('reopen' as const), keepCommits: fc.integer({ min: 1, max: 5 }) }),
  },
)

const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))

void t.test(
  'a store is a map with a commit counter, whatever is committed and however often it is reopened',
  async t => {
    const root = tempDir(t)
    let run = 0
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), key, async (steps, prefix) => {
        const directory = join(root, String((run += 1)))
        const model = new Map<string, string>()
        const heard: number[] = []
        let sequence = 0
        let store = await openLevelStore({ directory })
        const listen = (): void => void store.watch(commit => heard.push(commit.sequence))
        listen()
        const apply = (changes: readonly Change[]): void => {
          for (const each of changes) {
            if (each.value === undefined) model.delete(each.key)
            else model.set(each.key, JSON.stringify(each.value))
          }
        }
        for (const each of steps) {
          if (each.kind === 'commit') {
            if ((await store.transact(sequence, each.changes)) !== sequence + 1) throw new Error('wrong sequence')
            sequence += 1
            apply(each.changes)
          } else if (each.kind === 'stale') {
            const outcome = await store.transact(sequence - 1, each.changes).catch((error: unknown) => error)
            if (typeof outcome === 'number') throw new Error('a stale writer was let in')
          } else {
            await store.close()
            store = await openLevelStore({ directory, initialise: false, keepCommits: each.keepCommits })
            listen()
          }
          if (store.sequence !== sequence) throw new Error(`at ${store.sequence}, not ${sequence}`)
        }
        for (const from of ['', prefix]) {
          const found: [string, string][] = []
          for await (const [name, value] of store.range(from)) found.push([name, JSON.stringify(value)])
          const expected = [...model].filter(([name]) => name.startsWith(from)).toSorted(([a], [b]) => byBytes(a, b))
          if (JSON.stringify(found) !== JSON.stringify(expected)) {
            throw new Error(`range(${from}): ${JSON.stringify(found)}, not ${JSON.stringify(expected)}`)
          }
        }
        if (JSON.stringify(await store.get(prefix)) !== model.get(prefix)) throw new Error(`get(${prefix})`)
        await store.close()
        if (heard.some((seen, i) => seen !== i + 1) || heard.length !== sequence)
          throw new Error(`heard ${heard.join(' ')}`)
      }),
      { numRuns: 60 },
    )
    t.pass('60 histories')
  },
)
