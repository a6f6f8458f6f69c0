import { cpSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { openStore } from '../../../src/store/open-store.ts'
import type { Store } from '../../../src/store/store.ts'
import { tempDir } from '../../support/temp.ts'

async function contents(store: Store): Promise<string> {
  const all: unknown[] = []
  for await (const entry of store.range('')) all.push(entry)
  return JSON.stringify(all)
}

void t.test(
  'whatever becomes of the files of a lost store: what comes back is a state it was in, or a refusal',
  async t => {
    const base = join(tempDir(t), 'store')
    const { store } = await openStore({ directory: base, everyCommits: 4 })
    const states = [await contents(store)]
    for (let n = 1; n <= 11; n += 1) {
      await store.transact(n - 1, [
        { key: `k/${n % 3}`, value: { n, text: 'ä\u2028"\\'.repeat(n) } },
        { key: `gone/${n % 2}`, value: n % 3 === 0 ? undefined : n },
      ])
      states.push(await contents(store))
    }
    await store.close()
    const names = readdirSync(`${base}.snapshots`).toSorted()
    t.ok(names.some(name => name.endsWith('.commits')) && names.some(name => name.endsWith('.snapshot')))
    let refused = 0
    let lost = 0
    const harm = fc.record({
      file: fc.nat(names.length - 1),
      at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      how: fc.oneof(fc.record({ bit: fc.nat(7) }), fc.constant('cut' as const), fc.constant('empty' as const)),
    })
    let run = 0
    await fc.assert(
      fc.asyncProperty(fc.array(harm, { minLength: 1, maxLength: 4 }), async harms => {
        run += 1
        const directory = `${base}-${run}`
        cpSync(`${base}.snapshots`, `${directory}.snapshots`, { recursive: true })
        cpSync(`${base}.head`, `${directory}.head`)
        for (const { file, at, how } of harms) {
          const path = join(`${directory}.snapshots`, names[file] ?? '')
          const bytes = readFileSync(path)
          const position = Math.floor(at * bytes.length)
          if (how === 'empty') writeFileSync(path, '')
          else if (how === 'cut') writeFileSync(path, bytes.subarray(0, position))
          else if (bytes.length > 0) {
            bytes[position] = (bytes[position] ?? 0) ^ (1 << how.bit)
            writeFileSync(path, bytes)
          }
        }
        try {
          const opened = await openStore({ directory })
          const { sequence } = opened.store
          if ((await contents(opened.store)) !== states[sequence]) throw new Error(`not the state after ${sequence}`)
          const told = opened.recovery?.lost ?? null
          const expected = sequence === 11 ? null : { from: sequence + 1, to: 11 }
          if (JSON.stringify(told) !== JSON.stringify(expected)) throw new Error(`told ${JSON.stringify(told)}`)
          if (told !== null) lost += 1
          await opened.store.close()
        } catch (error) {
          if (!(error instanceof Error) || !/No snapshot is good/.test(error.message)) throw error
          refused += 1
        }
        for (const end of ['', '.head', '.snapshots', '.recovered'])
          rmSync(`${directory}${end}`, { recursive: true, force: true })
      }),
      { numRuns: 60 },
    )
    t.ok(lost > 0, `${run} ways: ${lost} lost something and said so, ${refused} refused`)
  },
)
