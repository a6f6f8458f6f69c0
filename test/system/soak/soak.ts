import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Prng, seedOf } from '../../simulation/prng.ts'
import { checkAll } from '../../checkers/check-all.ts'
import { historyIn } from '../../checkers/recording.ts'
import type { Verdict } from '../../checkers/verdict.ts'
import { watchService } from '../faults/history/watch.ts'
import { startClients } from '../faults/support/clients.ts'
import { SERVICE } from '../faults/support/package.ts'
import { Trial } from '../faults/support/trial.ts'
import { availabilityOf, type Availability } from '../../checkers/availability.ts'
import { runKills } from './kills.ts'
import { checkLosses } from '../../checkers/losses.ts'
import { restoreShape, runOperator } from './operator.ts'
import { deeds } from './planned.ts'
import { processesLine } from './processes.ts'
import { RegisterClients } from './register-clients.ts'
import { takeSample, type Sample } from './resources.ts'
import { SecureService } from './secure-service.ts'
import { startStreams } from './streams.ts'
import { Work } from './work.ts'

export interface SoakOptions {
  readonly seed: number
  /** It ends after so long, or once so many requests were made. */
  readonly minutes: number
  readonly requests: number
  readonly kills: boolean
  /** Between two requests of a client, in milliseconds. */
  readonly thinkMs: number
  /** Of each deployment. */
  readonly instances: number
  /** Only these deeds (planned.ts); empty: all. */
  readonly only: readonly string[]
  /** Folder of the recording. */
  readonly record: string
}

export interface SoakResult {
  readonly recording: string
  readonly seconds: number
  readonly requests: number
  readonly verdicts: readonly Verdict[]
  readonly availability: readonly Availability[]
  /** At rest before and after, and in between. */
  readonly samples: readonly Sample[]
  readonly done: Readonly<Record<string, number>>
  readonly killed: Readonly<Record<string, number>>
  readonly streamed: number
  /** What did not end well outside of all checks. */
  readonly unmet: readonly string[]
}

const SAMPLE_MS = 5000
/** What was opened for a change is closed by then. */
const REST_MS = 2000
/** Of the role, as its package says (test/system/faults/support/package.ts). */
const DRAIN_TIMEOUT_MS = 3000
const CONFIG = 'workers: 2\n'

/** Runs the real system under load, does everything planned to it and by wish kills its parts, and judges what was recorded. */
export async function runSoak(options: SoakOptions, say: (text: string) => void): Promise<SoakResult> {
  const { seed, kills } = options
  const name = `soak-${seed}${kills ? '-kills' : ''}`
  const trial = new Trial(name, options.record, true)
  const recording = join(options.record, `${name}.jsonl`)
  const samples: Sample[] = []
  const began = performance.now()
  let rest: Pick<SoakResult, 'requests' | 'done' | 'killed' | 'streamed'> | undefined
  let own: Verdict | undefined
  try {
    const subject = await trial.subject({ config: CONFIG })
    const { data } = subject.system
    const work = new Work(subject, trial.recorder, {
      seed: seedOf(seed, 'operator'),
      disturbed: kills,
      instances: options.instances,
    })
    const folder = trial.folder()
    await subject.deployed(work.next())
    await subject.deployed(work.next(), 'staging')
    const secure = await SecureService.start(trial, subject.system, trial.recorder)
    const register = new RegisterClients(subject.system.admin, trial.recorder, new Prng(seedOf(seed, 'register')))
    trial.teardown(async () => register.close())
    await register.begin(join(folder, 'register'))
    const sample = (): void => void samples.push(takeSample(data, began))
    const look = async (): Promise<void> => trial.recorder.add(processesLine(data, await subject.client.services()))

    const watch = watchService(subject.client, SERVICE, trial.recorder)
    const secured = await secure.vip()
    const vips = await subject.vips(['production', 'staging'])
    const load = { keep: false, mixed: 5, slowGets: 1, slowPosts: 1, oneShot: 1, oneShotPosts: 1 }
    const clients = startClients(trial.recorder, { ...load, vips, thinkMs: options.thinkMs, name: `soak${seed}` })
    const streams = startStreams(trial.recorder, vips)
    const stop = new AbortController()
    trial.teardown(async () => {
      stop.abort()
      await Promise.all([clients.stop(), streams.stop(), watch.stop()])
    })
    await delay(1000)
    sample()
    const all = Object.entries(deeds(secure, folder))
    const chosen = Object.fromEntries(all.filter(([name]) => options.only.length === 0 || options.only.includes(name)))
    let killed: Readonly<Record<string, number>> = {}
    const kill = async (): Promise<void> => {
      if (kills) killed = await runKills(trial, subject, new Prng(seedOf(seed, 'kills')), stop.signal)
    }
    // Those before it began to be changed do not count.
    const goal = clients.made() + options.requests
    const pace = async (): Promise<void> => {
      const deadline = began + options.minutes * 60_000
      let nextSample = performance.now() + SAMPLE_MS
      while (performance.now() < deadline && clients.made() < goal && !stop.signal.aborted) {
        await delay(200)
        if (performance.now() < nextSample) continue
        nextSample += SAMPLE_MS
        sample()
      }
      stop.abort()
    }
    await together(stop, [
      pace(),
      kill(),
      runOperator(work, chosen, stop.signal, say),
      secure.run(secured, 2, stop.signal),
      register.run(stop.signal),
    ])
    await restoreShape(work)
    await register.end()
    await delay(REST_MS)
    await look()
    sample()
    await clients.stop()
    await streams.stop()
    await watch.stop()
    for (const line of subject.noted()) trial.recorder.add(line)
    own = work.verdict()
    rest = { requests: clients.made(), done: work.done, killed, streamed: streams.received() }
  } catch (error) {
    trial.unmet.push(error instanceof Error ? (error.stack ?? error.message) : String(error))
  }
  await trial.end()
  const history = historyIn(recording)
  return {
    ...(rest ?? { requests: 0, done: {}, killed: {}, streamed: 0 }),
    recording,
    seconds: Math.round((performance.now() - began) / 1000),
    verdicts: [
      ...(own === undefined ? [] : [own]),
      checkLosses(history),
      sameProcesses(samples),
      ...checkAll(history, { service: SERVICE, drainTimeoutMs: DRAIN_TIMEOUT_MS }),
    ],
    availability: availabilityOf(history),
    samples,
    unmet: trial.unmet,
  }
}

/** Waits for all; the first that fails ends the others, and is what is thrown. */
async function together(stop: AbortController, tasks: readonly Promise<void>[]): Promise<void> {
  for (const task of tasks) task.catch(() => stop.abort())
  const failed = (await Promise.allSettled(tasks)).find(result => result.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}

/** At rest there are as many processes as in the beginning. */
function sameProcesses(samples: readonly Sample[]): Verdict {
  const [before, after] = [samples[0]?.processes ?? 0, samples.at(-1)?.processes ?? 0]
  const violations = before === after ? [] : [{ at: Date.now(), text: `${before} processes before, ${after} after` }]
  return { name: 'as many processes as before', judged: before, of: 'processes', violations }
}
