import { SERVICE } from '../system/faults/support/package.ts'
import { checkAll, verdictText } from './check-all.ts'
import { historyIn } from './recording.ts'

// Judges recordings: node dist/test/checkers/run.js FILE...
const DRAIN_TIMEOUT_MS = 3000
for (const file of process.argv.slice(2)) {
  const verdicts = checkAll(historyIn(file), { service: SERVICE, drainTimeoutMs: DRAIN_TIMEOUT_MS })
  process.stdout.write(`${file}\n${verdictText(verdicts)}\n`)
  if (verdicts.some(({ violations }) => violations.length > 0)) process.exitCode = 1
}
