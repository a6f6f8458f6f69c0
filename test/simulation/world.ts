import type { Moment } from '../../src/core/clock.ts'
import { Prng } from './prng.ts'

/** One start of one process, as it really is, whatever anybody believes. */
export interface Process {
  alive: boolean
  /** Ended because its assignment said so. */
  stoppedAsPlanned: boolean
}

/** Thrown at the first broken invariant of a run. */
class Violation extends Error {}

/** Simulated time, the queue of what is to happen, and the true state of all processes. */
export class World {
  readonly random: Prng
  readonly processes = new Map<string, Process>()
  /** Ports somebody else holds. */
  readonly takenPorts = new Set<number>()
  /** Bad versions start well from now on. */
  healed = false
  /** No more faults and no more requests: the run is to come to rest. */
  calm = false
  time = 0
  steps = 0
  boots = 1
  #bootedAt = 0
  #order = 0
  readonly #queue: { at: number; order: number; what: () => void }[] = []
  readonly #log: string[] = []

  constructor(seed: number) {
    this.random = new Prng(seed)
  }

  now(): Moment {
    return { wall: 1_700_000_000_000 + this.time, mono: this.time - this.#bootedAt, bootId: `boot-${this.boots}` }
  }

  rebooted(): void {
    this.boots += 1
    this.#bootedAt = this.time
  }

  /** Runs `what` after so many simulated milliseconds. */
  after(ms: number, what: () => void): void {
    const entry = { at: this.time + ms, order: this.#order++, what }
    const queue = this.#queue
    let child = queue.push(entry) - 1
    while (child > 0) {
      const parent = (child - 1) >> 1
      const above = queue[parent]
      if (above === undefined || !sooner(entry, above)) break
      queue[child] = above
      child = parent
    }
    queue[child] = entry
  }

  /** Lets `ms` milliseconds pass, or fewer where `done` says so. */
  run(ms: number, done: () => boolean = () => false): void {
    const end = this.time + ms
    for (;;) {
      const first = this.#queue[0]
      if (first === undefined || first.at > end || done()) break
      this.#pop()
      this.time = first.at
      this.steps += 1
      first.what()
    }
    if (!done()) this.time = end
  }

  #pop(): void {
    const queue = this.#queue
    const last = queue.pop()
    if (last === undefined || queue.length === 0) return
    let parent = 0
    for (;;) {
      let child = 2 * parent + 1
      const left = queue[child]
      if (left === undefined) break
      const right = queue[child + 1]
      if (right !== undefined && sooner(right, left)) child += 1
      const best = queue[child]
      if (best === undefined || !sooner(best, last)) break
      queue[parent] = best
      parent = child
    }
    queue[parent] = last
  }

  log(line: string): void {
    this.#log.push(`${(this.time / 1000).toFixed(3)} ${line}`)
    if (this.#log.length > 60) this.#log.shift()
  }

  get lastEvents(): readonly string[] {
    return this.#log
  }

  fail(message: string): never {
    throw new Violation(message)
  }
}

function sooner(a: { at: number; order: number }, b: { at: number; order: number }): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}
