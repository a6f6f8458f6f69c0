import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { OperationView } from '../src/contracts/api/operation.ts'
import type { ReceiptView } from '../src/contracts/api/receipt.ts'
import { errorMessage } from '../src/core/errors.ts'
import { startLoad, type Load } from './load/load.ts'
import { now } from './load/now.ts'
import { upgradePlan } from './load/plan.ts'
import { readEnvironment, writeResult } from './report/environment.ts'
import type { Phase } from './report/summary.ts'
import { freePorts, pack } from './system/packages.ts'
import { System } from './system/system.ts'
import { makeWalkPackage } from './walk/package.ts'
import { costs, overheadOf, readTimeline } from './walk/timeline.ts'
import { judgeWalks, type Walk } from './walk/verdict.ts'

// Upgrades twenty instances over five domains under load and compares what that took with what the slowest instance of
// each domain needed; then gives them a version that falls ill in domain 1, which must roll back by itself. See README.md.

const DOMAINS = 5
const ILL_DOMAIN = 1
const RETRY_MS = 2000

interface Options {
  readonly instances: number
  readonly upgrades: number
  readonly stableMs: number
}

async function main(): Promise<void> {
  const options = readOptions()
  const environment = readEnvironment()
  const folder = mkdtempSync(join(tmpdir(), 'vipswap-upgrade-'))
  let system: System | undefined
  let load: Load | undefined
  const clean = async (): Promise<string[]> => {
    await load?.terminate()
    const left = (await system?.stop()) ?? []
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
    return left.map(each => `left running: ${each}`)
  }
  const interrupted = (): void => {
    say('interrupted: cleaning up')
    void clean().finally(() => process.exit(130))
  }
  process.once('SIGINT', interrupted)
  process.once('SIGTERM', interrupted)

  const failures: string[] = []
  let json: object = {}
  try {
    const port = await freePorts(3)
    const timeline = join(folder, 'timeline.ndjson')
    const last = options.upgrades + 2
    const packages = Array.from({ length: last }, (_, i) => {
      const version = i + 1
      const illDomain = version === last ? ILL_DOMAIN : null
      const to = join(folder, `package-${version}`)
      const { instances } = options
      return makeWalkPackage({ folder: to, version, port, timeline, illDomain, instances, domains: DOMAINS })
    })
    const paths = { packageFolder: packages[0] ?? '', data: join(folder, 'data'), logFile: join(folder, 'up.log') }
    system = new System({ ...paths, adminPort: port + 2, service: 'bench' })
    await system.ready(120_000)
    const digests: string[] = []
    for (const each of packages) digests.push(await system.upload(await pack(each)))
    load = startLoad(upgradePlan(await system.vips(['production'])))
    const { phases, walks } = await perform(system, digests.slice(1), options, timeline)
    const verdict = judgeWalks({ load: await load.stop(), phases, walks, illDomain: ILL_DOMAIN })
    failures.push(...verdict.failures)
    json = verdict.json
    console.log(`\n${verdict.text}\n`)
  } catch (error) {
    failures.push(errorMessage(error))
  }
  failures.push(...(await clean()))
  const loadAverageAfter = readEnvironment().loadAverage
  const path = writeResult('upgrade', { environment, loadAverageAfter, options, ...json, failures })
  console.log(`written to ${path}`)
  console.log(failures.length === 0 ? 'nothing was lost' : `\nFAILED\n${failures.slice(0, 40).join('\n')}`)
  process.exit(failures.length === 0 ? 0 : 1)
}

/** The upgrades, then the one that must undo itself; all under the running load. */
async function perform(
  system: System,
  digests: readonly string[],
  { stableMs, upgrades }: Options,
  timeline: string,
): Promise<{ phases: Phase[]; walks: Walk[] }> {
  const phases: Phase[] = []
  const walks: Walk[] = []
  const phase = (name: string): void => {
    phases.push({ name, from: phases.at(-1)?.to ?? -Infinity, to: now(), socketsMayClose: false })
  }
  const policy = { healthCheckStableDuration: `${stableMs}ms`, healthCheckRetryTimeout: `${RETRY_MS}ms` }
  const interval = Math.min(1000, Math.max(50, stableMs / 10))
  const body = (digest: string | undefined): object => ({
    package: digest,
    mode: 'monitored',
    policy: { ...policy, healthCheckInterval: `${interval}ms` },
  })
  await delay(2000)
  phase('steady')
  for (let i = 0; i < upgrades; i += 1) {
    const operation = await system.change('slots/production/upgrade', body(digests[i]))
    const receipt = await system.receipt(operation.id)
    const domains = costs(readTimeline(timeline), receipt.domains, stableMs)
    const overhead = overheadOf(domains, lengthOf(operation))
    say(`upgrade ${i + 1}: ${lengthOf(operation)} ms, ${(overhead * 100).toFixed(1)} % over`)
    walks.push({ operation, receipt, domains, overhead })
    phase(`upgrade ${i + 1}`)
  }
  const ill = await system.settled('slots/production/upgrade', body(digests.at(-1)))
  const rollback = await finishedRollback(system)
  for (const operation of [ill, rollback]) {
    walks.push({ operation, receipt: await system.receipt(operation.id), domains: [], overhead: null })
  }
  say(`ill in domain ${ILL_DOMAIN}: ${ill.status}, rollback ${rollback.status} in ${lengthOf(rollback)} ms`)
  phase('ill, rolled back')
  await delay(2000)
  phases.push({ name: 'after', from: phases.at(-1)?.to ?? 0, to: Infinity, socketsMayClose: false })
  return { phases, walks }
}

/** The rollback that nobody asked for, once it has ended. */
async function finishedRollback(system: System): Promise<OperationView> {
  const deadline = Date.now() + 120_000
  while (Date.now() < deadline) {
    const found = (await system.operations()).find(({ kind }) => kind === 'rollback')
    if (found !== undefined && found.status !== 'InProgress') return found
    await delay(100)
  }
  throw new Error('the version that falls ill was not rolled back in 120 s')
}

function lengthOf({ startedAt, endedAt }: ReceiptView['operation']): number {
  return Date.parse(endedAt ?? '') - Date.parse(startedAt)
}

function say(text: string): void {
  console.error(`${new Date().toISOString()} ${text}`)
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      instances: { type: 'string' },
      upgrades: { type: 'string' },
      'stable-ms': { type: 'string' },
      quick: { type: 'boolean', default: false },
    },
  })
  const number = (text: string | undefined, usual: number, least: number): number => {
    const value = text === undefined ? usual : Number(text)
    if (!Number.isInteger(value) || value < least) throw new Error(`not a count of at least ${least}: ${text}`)
    return value
  }
  return {
    instances: number(values.instances, values.quick ? 10 : 20, DOMAINS),
    upgrades: number(values.upgrades, values.quick ? 1 : 3, 1),
    stableMs: number(values['stable-ms'], 3000, 0),
  }
}

await main()
