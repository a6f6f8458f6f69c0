import { setTimeout as delay } from 'node:timers/promises'
import { Pool } from 'undici'
import { errorMessage } from '../../../core/errors.ts'
import type { TaskWork, VerifyTarget } from '../../../contracts/task.ts'
import type { VerifyProbe } from '../../../model/role-traffic.ts'
import { exchange } from './exchange.ts'
import { holdStream } from './stream.ts'
import { holdWebSocket } from './websocket.ts'

/** Connections of the short requests to one target: enough to keep a few instances at it, too few to load them. */
const SHORT_LANES = 4
/** Between short requests of a lane once its phase has had enough. */
const GENTLE_MS = 200
/** Between two of the long ones. */
const LONG_PAUSE_MS = 100

type Work = Extract<TaskWork, { kind: 'verify' }>

interface Words {
  readonly onReached: (phase: string, sent: number) => void
  /** The first loss of this process; nothing is sent after it. */
  readonly onLost: (detail: string) => void
}

/** What one target has answered in the present phase. */
class Count {
  readonly target: VerifyTarget
  short = 0
  /** Long probes that came to their end, each at least once. */
  readonly long = new Set<number>()

  constructor(target: VerifyTarget) {
    this.target = target
  }

  get enough(): boolean {
    const longs = this.target.probes.filter(isLong).length
    const shorts = this.target.probes.length - longs
    return (shorts === 0 || this.short >= this.target.atLeast) && this.long.size >= longs
  }
}

function isLong({ kind }: VerifyProbe): boolean {
  return kind === 'slow' || kind === 'sse' || kind === 'websocket'
}

/** Sends what a task asks for until the first loss: fast until its phase has had enough, gently from then on. */
export class Traffic {
  readonly #words: Words
  #phase = ''
  #generation = 0
  #counts: Count[] = []
  #sent = 0
  #lost = false
  #reached = false

  constructor(words: Words) {
    this.#words = words
  }

  /** Begins a phase. What is under way goes on to its end, and counts for none. */
  take(work: Work): void {
    this.#generation += 1
    this.#phase = work.phase
    this.#reached = false
    this.#counts = work.targets.map(target => new Count(target))
    for (const count of this.#counts) this.#begin(count, this.#generation)
  }

  #begin(count: Count, generation: number): void {
    const { origin, host, probes } = count.target
    const pool = new Pool(origin, {
      connections: SHORT_LANES + probes.length,
      pipelining: 1,
      keepAliveTimeout: 2000,
      // Whose certificate it is does not matter here: who answers was said by its address.
      connect: { rejectUnauthorized: false, servername: host },
    })
    const shorts = probes.filter(probe => !isLong(probe))
    const lanes =
      shorts.length === 0
        ? []
        : Array.from({ length: SHORT_LANES }, () => this.#shortLane(pool, count, shorts, generation))
    const longs = probes.filter(isLong).map((probe, index) => this.#longLane(pool, count, probe, index, generation))
    void Promise.all([...lanes, ...longs]).then(() => pool.close())
  }

  #goesOn(generation: number): boolean {
    return !this.#lost && generation === this.#generation
  }

  async #shortLane(pool: Pool, count: Count, probes: readonly VerifyProbe[], generation: number): Promise<void> {
    for (let turn = 0; this.#goesOn(generation); turn++) {
      const probe = probes[turn % probes.length]
      if (probe === undefined) return
      const loss = await this.#try(() => exchange(pool, count.target.host, probe))
      this.#done(generation, probe, loss, () => {
        count.short += 1
      })
      if (this.#reached) await delay(GENTLE_MS)
    }
  }

  async #longLane(pool: Pool, count: Count, probe: VerifyProbe, index: number, generation: number): Promise<void> {
    const { origin, host } = count.target
    while (this.#goesOn(generation)) {
      const loss = await this.#try(() => {
        if (probe.kind === 'sse') return holdStream(pool, host, probe)
        return probe.kind === 'websocket' ? holdWebSocket(origin, host, probe) : exchange(pool, host, probe)
      })
      this.#done(generation, probe, loss, () => count.long.add(index))
      await delay(LONG_PAUSE_MS)
    }
  }

  async #try(send: () => Promise<string | null>): Promise<string | null> {
    this.#sent += 1
    try {
      return await send()
    } catch (thrown) {
      return errorMessage(thrown)
    }
  }

  /** A loss counts whenever its request was begun: callers of the last phase are callers too. */
  #done(generation: number, { kind, path }: VerifyProbe, loss: string | null, count: () => void): void {
    if (this.#lost) return
    if (loss !== null) {
      this.#lost = true
      this.#words.onLost(`${kind} ${path}: ${loss} (request ${this.#sent} of the probe traffic)`)
      return
    }
    if (generation !== this.#generation) return
    count()
    if (this.#reached || !this.#counts.every(({ enough }) => enough)) return
    this.#reached = true
    this.#words.onReached(this.#phase, this.#sent)
  }
}
