import { parseArgs } from 'node:util'
import { SCRIPTS, type Step } from './scripts.ts'
import { simulate, type Outcome } from './simulate.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '1' },
    /** Every commit of every seed is a point to die at, one run each. */
    walk: { type: 'boolean', default: false },
    /** With `walk`: the scripted meetings of operations instead of random ones. */
    scripts: { type: 'boolean', default: false },
  },
})

const totals = { seeds: 0, runs: 0, steps: 0, commits: 0, kills: 0, violations: 0 }
const operations: Record<string, number> = {}
const begun = performance.now()

function count(outcome: Outcome): boolean {
  totals.runs += 1
  totals.steps += outcome.steps
  totals.commits += outcome.commits
  totals.kills += outcome.kills
  for (const [kind, number] of Object.entries(outcome.operations)) operations[kind] = (operations[kind] ?? 0) + number
  if (outcome.violation === null) return true
  totals.violations += 1
  process.stdout.write(`${outcome.violation}\n\n`)
  return false
}

const first = Number(values.from)
for (let seed = first; seed < first + Number(values.seeds); seed++) {
  totals.seeds += 1
  if (!values.walk) {
    count(simulate(seed))
    continue
  }
  const busyMs = 20_000
  if (values.scripts) {
    for (const [name, script] of Object.entries(SCRIPTS)) walkScript(seed, name, script)
    continue
  }
  const whole = simulate(seed, { busyMs, kill: () => null })
  if (!count(whole)) continue
  for (let point = 1; point <= whole.commits; point++) {
    const side = point % 2 === 0 ? 'before' : 'after'
    if (count(simulate(seed, { busyMs, kill: commit => (commit === point ? side : null) }))) continue
    process.stdout.write(`killed ${side} commit ${point}\n`)
    break
  }
}
/** Dies at every commit of a script, on either side of the disk. */
function walkScript(seed: number, name: string, script: readonly Step[]): void {
  const busyMs = 15_000
  const whole = simulate(seed, { busyMs, script, kill: () => null })
  if (!count(whole)) return
  for (let point = 1; point <= whole.commits; point++) {
    for (const side of ['before', 'after'] as const) {
      if (count(simulate(seed, { busyMs, script, kill: commit => (commit === point ? side : null) }))) continue
      process.stdout.write(`${name}: killed ${side} commit ${point}\n`)
      return
    }
  }
}

for (const kind of Object.keys(operations).toSorted())
  process.stdout.write(`${String(operations[kind]).padStart(8)} ${kind}\n`)
const seconds = (performance.now() - begun) / 1000
process.stdout.write(`${JSON.stringify(totals)} in ${seconds.toFixed(1)} s\n`)
process.exitCode = totals.violations === 0 ? 0 : 1
