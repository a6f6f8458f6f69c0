import { parseArgs } from 'node:util'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { besiege, type Assailant } from '../test/integration/admin/hostile/besiege.ts'

// The long form of test/integration/admin/hostile.test.ts: `npm run fuzz:admin`.

const { values } = parseArgs({
  options: { count: { type: 'string', default: '10000' }, seed: { type: 'string', default: '1' } },
})
const folder = mkdtempSync(join(tmpdir(), 'vs-'))
const assailants: readonly Assailant[] = ['nobody', 'viewer', 'operator', 'admin']
let failed = false
try {
  for (const by of assailants) {
    const started = performance.now()
    const { statuses, changes, judged, faults } = await besiege({
      folder: join(folder, by),
      by,
      seed: Number(values.seed),
      count: Number(values.count),
    })
    const seconds = ((performance.now() - started) / 1000).toFixed(1)
    const shown = [...statuses].map(([status, times]) => `${status}: ${times}`).toSorted((a, b) => (a < b ? -1 : 1))
    console.log(`${values.count} requests of ${by} in ${seconds} s: ${shown.join(', ')}`)
    for (const fault of faults.slice(0, 10)) console.log(fault)
    console.log(`faults ${faults.length}; ${judged} compared state before and after; ${changes} good ones changed it`)
    failed ||= faults.length > 0
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
process.exitCode = failed ? 1 : 0
