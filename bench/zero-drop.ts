import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { errorMessage } from '../src/core/errors.ts'
import type { ReceiptView } from '../src/contracts/api/receipt.ts'
import type { SwapWindow } from './load/checker.ts'
import { startLoad } from './load/load.ts'
import type { Load } from './load/load.ts'
import { now } from './load/now.ts'
import { standardPlan } from './load/plan.ts'
import type { Vip } from './load/plan.ts'
import { readEnvironment, writeResult } from './report/environment.ts'
import type { Phase } from './report/summary.ts'
import { judge } from './report/verdict.ts'
import type { Evidence } from './report/verdict.ts'
import { freePorts, makePackage, pack } from './system/packages.ts'
import { System } from './system/system.ts'
import { hasWrk, runWrk } from './system/wrk.ts'
import type { WrkResult } from './system/wrk.ts'

// Runs the real system under load from clients that never retry, swaps, upgrades and rolls back, and fails if anything
// was lost. See README.md for what is counted and how.

interface Options {
  readonly swaps: number
  readonly upgrades: number
  readonly secondsPerPhase: number
}

interface SwapRun {
  readonly window: SwapWindow
  readonly operation: string
}

async function main(): Promise<void> {
  const options = readOptions()
  const environment = readEnvironment()
  const folder = mkdtempSync(join(tmpdir(), 'vipswap-bench-'))
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
    const packages = Array.from({ length: options.upgrades + 3 }, (_, i) =>
      makePackage(join(folder, `package-${i + 1}`), i + 1, port),
    )
    const [first = ''] = packages
    const paths = { packageFolder: first, data: join(folder, 'data'), logFile: join(folder, 'up.log') }
    system = new System({ ...paths, adminPort: port + 2, service: 'bench' })
    await system.ready(90_000)
    const digests: string[] = []
    for (const each of packages) digests.push(await system.upload(await pack(each)))
    await system.change('slots/staging', { package: digests[1] })
    const vips = await system.vips(['production', 'staging'])
    say(`both slots serve: ${vips.map(vip => `${vip.name} ${vip.host}:${vip.port}`).join(', ')}`)
    load = startLoad(standardPlan(vips))
    const rest = await perform(system, vips, digests.slice(2), options)
    const result = await load.stop()
    const receipts: ReceiptView[] = []
    for (const id of rest.operations) receipts.push(await system.receipt(id))
    const verdict = judge({ ...rest, load: result, receipts })
    failures.push(...verdict.failures)
    json = verdict.json
    console.log(`\n${verdict.text}\n`)
  } catch (error) {
    failures.push(errorMessage(error))
  }
  failures.push(...(await clean()))
  const loadAverageAfter = readEnvironment().loadAverage
  const path = writeResult('zero-drop', { environment, loadAverageAfter, options, ...json, failures })
  console.log(`written to ${path}`)
  console.log(failures.length === 0 ? 'nothing was lost' : `\nFAILED\n${failures.slice(0, 40).join('\n')}`)
  process.exit(failures.length === 0 ? 0 : 1)
}

/** What is done to the system while the load runs. */
async function perform(
  system: System,
  vips: readonly Vip[],
  digests: readonly string[],
  options: Options,
): Promise<Omit<Evidence, 'load' | 'receipts'> & { operations: string[] }> {
  const phases: Phase[] = []
  const phase = async <T>(name: string, socketsMayClose: boolean, run: () => Promise<T>): Promise<T> => {
    say(name)
    // Without gaps, so that every request belongs to one.
    const from = phases.at(-1)?.to ?? -Infinity
    const result = await run()
    phases.push({ name, from, to: now(), socketsMayClose })
    return result
  }
  const pause = options.secondsPerPhase * 1000
  await phase('steady', false, async () => delay(pause))
  const swaps = await phase('swaps', false, async () => runSwaps(system, options.swaps, 300))
  const wrk = hasWrk()
    ? await phase('wrk', false, async () => runWrkRound(system, vips, options.secondsPerPhase))
    : { result: undefined, swaps: [] }
  const operations = [...swaps, ...wrk.swaps].map(swap => swap.operation)
  const change = async (path: string, body: object): Promise<void> => {
    const beganAt = now()
    const { id } = await system.change(`slots/production/${path}`, body)
    operations.push(id)
    say(`  ${path}: ${Math.round(now() - beganAt)} ms`)
  }
  await phase('upgrades', true, async () => {
    for (const digest of digests.slice(0, -1)) await change('upgrade', { package: digest, mode: 'auto' })
  })
  await phase('rollback', true, async () => {
    await change('upgrade', { package: digests.at(-1), mode: 'manual' })
    await change('walk', {})
    await change('walk', {})
    await change('rollback', {})
  })
  // What is still under way when the load stops belongs to the last phase.
  say('after')
  await delay(pause)
  phases.push({ name: 'after', from: phases.at(-1)?.to ?? 0, to: Infinity, socketsMayClose: false })
  const windows = (runs: readonly SwapRun[]): SwapWindow[] => runs.map(run => run.window)
  return { phases, swaps: windows(swaps), swapsBesideWrk: windows(wrk.swaps), wrk: wrk.result, operations }
}

/** Swaps back and forth, a random while apart, and tells when each was called for and known to be done. */
async function runSwaps(system: System, count: number, gapMs: number): Promise<SwapRun[]> {
  const { slots } = await system.service()
  let was = { production: slots.production?.id ?? '', staging: slots.staging?.id ?? '' }
  const runs: { callAt: number; acknowledgedAt: number; was: typeof was; operation: string }[] = []
  for (let n = 0; n < count; n += 1) {
    const callAt = now()
    const { id } = await system.change('swap', { expect: was })
    runs.push({ callAt, acknowledgedAt: now(), was, operation: id })
    was = { production: was.staging, staging: was.production }
    await delay(gapMs * (0.5 + Math.random()))
  }
  const endedAt = now()
  return runs.map(({ operation, ...run }, i) => ({
    operation,
    window: { ...run, until: runs[i + 1]?.callAt ?? endedAt },
  }))
}

async function runWrkRound(
  system: System,
  vips: readonly Vip[],
  seconds: number,
): Promise<{ result: WrkResult; swaps: SwapRun[] }> {
  const production = vips.find(vip => vip.name === 'production')
  const round = runWrk(`http://${production?.host}:${production?.port}/`, Math.max(2, seconds))
  // Listened to from the start: a swap that fails first must not leave this one unheard.
  const [result, swaps] = await Promise.all([round, runSwaps(system, 4, (seconds * 1000) / 5)])
  return { result, swaps }
}

function say(text: string): void {
  console.error(`${new Date().toISOString()} ${text}`)
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      swaps: { type: 'string' },
      upgrades: { type: 'string' },
      'seconds-per-phase': { type: 'string' },
      quick: { type: 'boolean', default: false },
    },
  })
  const number = (text: string | undefined, usual: number): number => {
    const value = text === undefined ? usual : Number(text)
    if (!Number.isFinite(value) || value < 0) throw new Error(`not a count: ${text}`)
    return value
  }
  return {
    swaps: number(values.swaps, values.quick ? 6 : 50),
    upgrades: number(values.upgrades, values.quick ? 1 : 3),
    secondsPerPhase: number(values['seconds-per-phase'], values.quick ? 1 : 5),
  }
}

await main()
