import type { Moment } from '../../src/core/clock.ts'
import { Prng, seedOf } from './prng.ts'
import { RULES, type Rule } from './rules.ts'
import { TimedQueue } from './timed-queue.ts'

/** One start of one process, as it really is, whatever anybody believes. */
export interface Process {
  readonly node: string
  /** Its instance's key, which no other living process may have. */
  readonly key: string
  alive: boolean
  /** Ended because its assignment said so. */
  stoppedAsPlanned: boolean
  /** Answers its probe and breaks every request. */
  readonly lies: boolean
}

/** Thrown at the first broken rule of a run. */
export class Violation extends Error {
  readonly rule: Rule

  constructor(rule: Rule, message: string) {
    super(message)
    this.rule = rule
  }
}

/** Simulated time, what is to happen in it, and the true state of all processes. */
export class World {
  readonly seed: number
  /** By target: `deployment/instance#incarnation.attempt`. */
  readonly processes = new Map<string, Process>()
  /** Ports somebody else holds. */
  readonly takenPorts = new Set<number>()
  /** Bad versions start well from now on. */
  healed = false
  /** No more faults and no more requests: the run is to come to rest. */
  calm = false
  steps = 0
  /** What was done to the fabric, for people. */
  readonly script: string[] = []
  #boots = 1
  #bootedAt = 0
  readonly #queue = new TimedQueue()
  readonly #log: string[] = []

  constructor(seed: number) {
    this.seed = seed
  }

  get time(): number {
    return this.#queue.time
  }

  /** A source of chance for one purpose: what others draw does not move it, so that a run shrinks well. */
  dice(purpose: string): Prng {
    return new Prng(seedOf(this.seed, purpose))
  }

  now(): Moment {
    return { wall: 1_700_000_000_000 + this.time, mono: this.time - this.#bootedAt, bootId: `boot-${this.#boots}` }
  }

  rebooted(): void {
    this.#boots += 1
    this.#bootedAt = this.time
  }

  /** Runs `what` after so many simulated milliseconds. */
  after(ms: number, what: () => void): void {
    this.#queue.add(this.time + ms, what)
  }

  /** Lets `ms` milliseconds pass. */
  run(ms: number): void {
    const end = this.time + ms
    for (let what = this.#queue.next(end); what !== null; what = this.#queue.next(end)) {
      this.steps += 1
      what()
    }
  }

  log(line: string): void {
    this.#log.push(`${this.#stamp} ${line}`)
    if (this.#log.length > 60) this.#log.shift()
  }

  /** An operator, or fate, does something. */
  done(line: string): void {
    this.script.push(`${this.#stamp} ${line}`)
    this.log(line)
  }

  get lastEvents(): readonly string[] {
    return this.#log
  }

  get #stamp(): string {
    return `${(this.time / 1000).toFixed(3)} s`
  }

  fail(rule: Rule, message: string): never {
    throw new Violation(rule, `${message}\n  rule ${rule}: ${RULES[rule]}`)
  }
}
