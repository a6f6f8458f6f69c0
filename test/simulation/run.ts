import { parseArgs } from 'node:util'
import { SCRIPTS, type Step } from './scripts.ts'
import { describe, planWith, shrink } from './shrink.ts'
import { simulate, type Options, type Outcome } from './simulate.ts'

const HELP = `npm run simulate -- [options]: the rules of src/fabric under faults, one run a seed

  --seeds N      how many (default 100), --from N the first (default 1)
  --keep 1,2,3   of one seed, only these happenings (as a failure prints them)
  --no-shrink    print a failure as it was found
  --walk         every commit of every seed is a point to die at, one run each
  --scripts      with --walk: the scripted meetings of operations instead of random ones
  --json         the totals as one line of JSON
`
const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '1' },
    keep: { type: 'string' },
    'no-shrink': { type: 'boolean', default: false },
    walk: { type: 'boolean', default: false },
    scripts: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

type Counts = Record<string, number>
const totals = { seeds: 0, runs: 0, steps: 0, commits: 0, controllerDeaths: 0, violations: 0 }
const faults: Counts = {}
const verbs: Counts = {}
const operations: Counts = {}
const begun = performance.now()

function add(to: Counts, from: Readonly<Counts>): void {
  for (const [kind, count] of Object.entries(from)) to[kind] = (to[kind] ?? 0) + count
}

function count(outcome: Outcome, options: Options): boolean {
  totals.runs += 1
  totals.steps += outcome.steps
  totals.commits += outcome.commits
  totals.controllerDeaths += outcome.kills
  add(faults, outcome.faults)
  add(verbs, outcome.verbs)
  add(operations, outcome.operations)
  if (outcome.failure === null) return true
  totals.violations += 1
  const planned = options.script === undefined && options.kill === undefined
  const smaller = planned && !values['no-shrink'] ? shrink(outcome.seed, options) : null
  const all = { keep: [], of: 0, runs: 1, failure: outcome.failure }
  process.stdout.write(`${describe(outcome, smaller ?? all)}\n\n`)
  return false
}

function run(seed: number, options: Options = {}): boolean {
  return count(simulate(seed, options), options)
}

/** Dies at every commit of a run, on either side of the disk. */
function walk(
  seed: number,
  name: string,
  options: Options,
  sidesOf: (point: number) => readonly ('before' | 'after')[],
): void {
  const whole = simulate(seed, { ...options, kill: () => null })
  if (!count(whole, { ...options, kill: () => null })) return
  for (let point = 1; point <= whole.commits; point++) {
    for (const side of sidesOf(point)) {
      if (run(seed, { ...options, kill: commit => (commit === point ? side : null) })) continue
      process.stdout.write(`${name}: killed ${side} commit ${point}\n`)
      return
    }
  }
}

function runSeed(seed: number): void {
  totals.seeds += 1
  if (values.walk && values.scripts) {
    for (const [name, script] of Object.entries<readonly Step[]>(SCRIPTS))
      walk(seed, name, { busyMs: 15_000, script }, () => ['before', 'after'])
  } else if (values.walk) {
    walk(seed, `seed ${seed}`, { busyMs: 20_000 }, point => [point % 2 === 0 ? 'before' : 'after'])
  } else if (values.keep !== undefined) {
    run(seed, { plan: planWith(seed, values.keep.split(',').map(Number)) })
  } else run(seed)
}

function print(title: string, counts: Readonly<Counts>): void {
  process.stdout.write(`${title}\n`)
  for (const kind of Object.keys(counts).toSorted())
    process.stdout.write(`${String(counts[kind]).padStart(10)} ${kind}\n`)
}

if (values.help) {
  process.stdout.write(HELP)
} else {
  const first = Number(values.from)
  for (let seed = first; seed < first + Number(values.seeds); seed++) runSeed(seed)
  print('operations that ended', operations)
  print('asked for', verbs)
  print('faults', faults)
  const seconds = (performance.now() - begun) / 1000
  const whole = { ...totals, seconds: Math.round(seconds * 10) / 10 }
  process.stdout.write(
    values.json
      ? `${JSON.stringify({ ...whole, faults, verbs, operations })}\n`
      : `${Object.entries(whole)
          .map(([name, figure]) => `${name} ${figure}`)
          .join(', ')}\n`,
  )
  process.exitCode = totals.violations === 0 ? 0 : 1
}
