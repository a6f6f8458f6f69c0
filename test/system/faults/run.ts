import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { projectRoot } from '../../../bench/system/packages.ts'
import { readEnvironment } from '../../../bench/report/environment.ts'
import { FAULTS } from './all.ts'
import { checkedWords } from './checked.ts'
import { runFault, type Row } from './trial-run.ts'

const HELP = `npm run test:faults -- [options]: real faults to the real system, one row each

  --only F3,F8.holder  these; F8 means all its forms
  --list               what there is
  --long               the long forms of those that have one
  --json FILE          the rows as JSON; rows of other faults that are in it stay
  --record DIR         where recordings go (default: dist/faults)
`
const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    list: { type: 'boolean', default: false },
    long: { type: 'boolean', default: false },
    json: { type: 'string' },
    record: { type: 'string', default: join(projectRoot(), 'dist', 'faults') },
    help: { type: 'boolean', default: false },
  },
})

function isAsked(id: string): boolean {
  const only = values.only?.split(',')
  return only === undefined || only.some(each => id === each || id.startsWith(`${each}.`))
}

function rowText({ id, injected, expected, seen, verdict, why, seconds }: Row): string {
  const reasons = why.length === 0 ? '' : ` (${why.join('; ')})`
  return `${id} | ${injected} | ${expected} | ${seen} | ${verdict}${reasons} | ${seconds} s\n`
}

async function runAll(): Promise<void> {
  const faults = FAULTS.filter(({ id }) => isAsked(id))
  if (faults.length === 0) throw new Error(`there is no fault ${values.only}`)
  const rows: Row[] = []
  process.stdout.write('fault | injected | expected | seen | verdict | time\n')
  for (const fault of faults) {
    const row = await runFault(fault, { recordings: values.record, long: values.long })
    rows.push(row)
    process.stdout.write(rowText(row))
    if (values.json !== undefined) writeRows(values.json, rows)
  }
  process.stdout.write(`checkers | recordings of all of these | no rule broken | ${checkedWords(rows)}\n`)
  const count = (verdict: Row['verdict']): number => rows.filter(row => row.verdict === verdict).length
  process.stdout.write(`${count('held')} held, ${count('broken')} broken, ${count('skipped')} skipped\n`)
  process.exitCode = count('broken') === 0 ? 0 : 1
}

/** In the order of the suite, whatever was run when. */
function writeRows(file: string, rows: readonly Row[]): void {
  const earlier = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as { rows: Row[] }).rows : []
  const byId = new Map([...earlier, ...rows].map(row => [row.id, row]))
  const all = FAULTS.flatMap(({ id }) => byId.get(id) ?? [])
  writeFileSync(file, `${JSON.stringify({ environment: readEnvironment(), rows: all }, null, 2)}\n`)
}

if (values.help) process.stdout.write(HELP)
else if (values.list) for (const { id, name } of FAULTS) process.stdout.write(`${id.padEnd(14)} ${name}\n`)
else await runAll()
