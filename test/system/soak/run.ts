import { randomInt } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { readEnvironment } from '../../../bench/report/environment.ts'
import { projectRoot } from '../../../bench/system/packages.ts'
import { cyclesText, runCycles } from './cycles.ts'
import { failuresOf, soakText } from './report.ts'
import { runSoak } from './soak.ts'

const HELP = `npm run soak -- [options]: the real system under load, changed all the time, judged by what was recorded

  --minutes N     for so long (default: 10)
  --requests N    instead: until so many requests were made
  --kills         random kill -9 of instances, agents, the controller and proxy workers, too
  --cycles N      instead: so many times deploy, swap, delete; what it uses must be back where it was
  --instances N   of each of the two deployments (default: 3)
  --only A,B      of what is done to it, only this (test/system/soak/planned.ts)
  --seed N        the same choices again (default: any)
  --think-ms N    between two requests of a client (default: 10)
  --record DIR    where the recording goes (default: dist/soak)
  --json FILE     the result as JSON
  --quiet         the result only
`
const { values } = parseArgs({
  options: {
    minutes: { type: 'string' },
    requests: { type: 'string' },
    kills: { type: 'boolean', default: false },
    cycles: { type: 'string' },
    instances: { type: 'string' },
    only: { type: 'string', default: '' },
    seed: { type: 'string' },
    'think-ms': { type: 'string', default: '10' },
    record: { type: 'string', default: join(projectRoot(), 'dist', 'soak') },
    json: { type: 'string' },
    quiet: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

function number(text: string | undefined, usual: number): number {
  const value = Number(text ?? usual)
  if (Number.isNaN(value) || value < 0) throw new Error(`not a count: ${text}`)
  return value
}

function say(text: string): void {
  if (!values.quiet) process.stderr.write(`${new Date().toISOString()} ${text}\n`)
}

async function run(): Promise<void> {
  const environment = readEnvironment()
  const seed = number(values.seed, randomInt(1_000_000))
  const minutes = number(values.minutes, values.requests === undefined ? 10 : Infinity)
  const requests = number(values.requests, Infinity)
  const only = values.only.split(',').filter(name => name !== '')
  const how = { seed, kills: values.kills, record: values.record, thinkMs: number(values['think-ms'], 10) }
  const instances = number(values.instances, 3)
  say(`seed ${seed}`)
  const cycles = values.cycles === undefined ? null : number(values.cycles, 0)
  const result =
    cycles === null
      ? await runSoak({ ...how, minutes, requests, instances, only }, say)
      : await runCycles(cycles, how, say)
  process.stdout.write(`\n${'growth' in result ? cyclesText(result) : soakText(result)}\n`)
  const failures = failuresOf(result)
  const loadAverageAfter = readEnvironment().loadAverage
  if (values.json !== undefined)
    writeFileSync(
      values.json,
      `${JSON.stringify({ environment, loadAverageAfter, seed, ...result, failures }, null, 2)}\n`,
    )
  process.stdout.write(failures.length === 0 ? '\nall held\n' : `\nFAILED (--seed ${seed})\n${failures.join('\n')}\n`)
  process.exitCode = failures.length === 0 ? 0 : 1
}

if (values.help) process.stdout.write(HELP)
else await run()
