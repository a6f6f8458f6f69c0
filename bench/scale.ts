import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { parseArgs } from 'node:util'
import { readEnvironment, writeResult } from './report/environment.ts'
import { table } from './report/table.ts'
import { walkOnce, type Measured } from './scale/walk.ts'

// The rules alone, at scale: a whole upgrade of a deployment with ideal peers, and what deciding it costs. See README.md.

/** A full walk of the largest size in under this, and memory of the core under that. */
const MOST_CPU_SECONDS = 10
const MOST_HEAP_MB = 300
/** Per decision, from one size to the ten times larger: no more than that many times as dear. */
const MOST_GROWTH = 10

const { values } = parseArgs({
  options: {
    instances: { type: 'string', default: '100,1000,10000' },
    roles: { type: 'string', default: '10' },
    help: { type: 'boolean', default: false },
  },
})

const HELP = `npm run bench:scale -- [--instances 100,1000,10000] [--roles 10]
An upgrade of that many instances, over 20 upgrade domains and a node for each 50 of them, decided by the rules alone.
`

/** Compiled code and the collector are warm, and nothing of one size is left when the next is measured. */
function collect(): void {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as () => void // what --expose-gc exposes
  gc()
}

function main(): void {
  if (values.help) {
    process.stdout.write(HELP)
    return
  }
  const environment = readEnvironment()
  const roles = Number(values.roles)
  walkOnce({ instances: 100, roles, nodes: 2 }, collect)
  const measured = values.instances
    .split(',')
    .map(Number)
    .map(instances => walkOnce({ instances, roles, nodes: Math.max(2, Math.ceil(instances / 50)) }, collect))
  process.stdout.write(`${table(HEAD, measured.map(row))}\n`)
  const failures = judge(measured)
  const path = writeResult('scale', { environment, roles, measured, failures })
  process.stdout.write(`${failures.map(failure => `MISSED: ${failure}\n`).join('')}written to ${path}\n`)
  process.exitCode = failures.length === 0 ? 0 : 1
}

const HEAD = [
  'instances',
  'nodes',
  'decisions',
  'CPU s',
  'µs per decision',
  'dearest ms',
  'µs per projection',
  'heap MB',
]

function row({ instances, nodes, cost, cpuSeconds, heapMb }: Measured): (string | number)[] {
  return [
    instances,
    nodes,
    cost.applies,
    cpuSeconds,
    Math.round(cost.applyMicros / cost.applies),
    cost.mostMicros / 1000,
    Math.round(cost.projectMicros / cost.projections),
    heapMb,
  ]
}

function judge(measured: readonly Measured[]): string[] {
  const failures: string[] = []
  const largest = measured.findLast(({ instances }) => instances >= 10_000)
  if (largest !== undefined && largest.cpuSeconds >= MOST_CPU_SECONDS)
    failures.push(
      `${largest.instances} instances took ${largest.cpuSeconds.toFixed(1)} s of CPU, not under ${MOST_CPU_SECONDS}`,
    )
  if (largest !== undefined && largest.heapMb >= MOST_HEAP_MB)
    failures.push(`${largest.instances} instances took ${largest.heapMb.toFixed(0)} MB, not under ${MOST_HEAP_MB}`)
  for (const [index, next] of measured.entries()) {
    const before = measured[index - 1]
    if (before === undefined) continue
    const times = (of: (one: Measured) => number): number => of(next) / of(before)
    const growth = times(({ cost }) => cost.applyMicros / cost.applies)
    const allowed = (MOST_GROWTH / 10) * times(({ instances }) => instances)
    if (growth > allowed)
      failures.push(`a decision is ${growth.toFixed(1)} times dearer at ${next.instances} than at ${before.instances}`)
  }
  return failures
}

main()
