import { writeSync } from 'node:fs'
import { openLevelStore } from '../../../src/store/level-store.ts'
import { openStore } from '../../../src/store/open-store.ts'

// Commits as fast as it can and prints each sequence once it is acknowledged; prints how it ended if a write fails.
// Node ignores it, the test runner's preload would end the process: a listener of our own keeps it from that.
process.on('SIGXFSZ', () => {})

const [, , directory, how] = process.argv
if (directory === undefined) throw new Error('usage: commit-loop DIRECTORY [backup]')
const store =
  how === 'backup'
    ? (await openStore({ directory, everyCommits: 15 })).store
    : await openLevelStore({ directory, keepCommits: 20 })
writeSync(1, 'open\n')
try {
  for (;;) {
    const n = store.sequence + 1
    const sequence = await store.transact(store.sequence, [
      { key: 'left', value: n },
      { key: `item/${String(n % 50).padStart(4, '0')}`, value: { n, filler: 'x'.repeat(n % 700) } },
      { key: `item/${String((n + 25) % 50).padStart(4, '0')}`, value: n % 3 === 0 ? { n } : undefined },
      { key: 'right', value: n },
    ])
    writeSync(1, `${sequence}\n`)
  }
} catch (first) {
  const again = await store.transact(store.sequence, []).catch((error: unknown) => error)
  writeSync(1, `failed ${String(first)}\nagain ${String(again)}\n`)
  process.exit(3)
}
