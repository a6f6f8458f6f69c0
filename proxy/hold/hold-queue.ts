import type { DataPlaneLimits } from '../../src/contracts/routing.ts'
import { endPacing, growByTime } from '../balancing/pacing.ts'
import type { PoolState } from '../routing/pool-state.ts'
import type { PauseLine } from './pause-line.ts'
import { Place, type LineOwner, type Waiting } from './waiting-line.ts'

/**
 * Requests that wait: because nothing is ready but something is expected to be, or because every instance has as many as it
 * may. One line per pool, first come first served; bounded in count and bytes, each request in time.
 */
export class HoldQueue {
  readonly #pools: ReadonlyMap<string, PoolState>
  readonly #pauses: ReadonlyMap<string, PauseLine>

  /** `pools`: all there are, as they come and go; `pauses`: the lines of paused addresses, in which nobody expires. */
  constructor(pools: ReadonlyMap<string, PoolState>, pauses: ReadonlyMap<string, PauseLine> = NO_PAUSES) {
    this.#pools = pools
    this.#pauses = pauses
  }

  get size(): number {
    let size = 0
    for (const { line } of this.#all()) size += line.count
    return size
  }

  /** Gives `waiting` a place in the owner's line, if it has none. False if the line is full: the request is answered 503. */
  join(waiting: Waiting, owner: LineOwner, maxCount: number, maxBytes: number): boolean {
    if (waiting.place?.owner === owner) return true
    this.leave(waiting)
    const place = new Place(waiting, owner)
    if (owner.line.count >= maxCount || owner.line.bytes + place.bytes > maxBytes) return false
    owner.line.add(place)
    waiting.place = place
    return true
  }

  leave(waiting: Waiting): void {
    const { place } = waiting
    if (place === null) return
    waiting.place = null
    const { owner } = place
    owner.line.remove(place)
    if (owner.line.count === 0) owner.emptied()
  }

  /** More of a waiting request's body came in. False: stop reading it. */
  grow(waiting: Waiting, bytes: number, maxBytes: number): boolean {
    const { place } = waiting
    if (place === null) return true
    place.bytes += bytes
    place.owner.line.bytes += bytes
    return place.owner.line.bytes <= maxBytes
  }

  /** An instance of the pool has become ready or free: lets go who may go, the first first. */
  letGo({ line }: LineOwner): void {
    if (line.moving) return
    line.moving = true
    for (let first = line.first; first !== null; first = line.first) {
      first.waiting.tryAgain()
      if (line.first === first) break
    }
    line.moving = false
  }

  /** A new table is current: everybody chooses again, in order. */
  releaseInOrder(): void {
    const all: Waiting[] = []
    for (const { line } of this.#all()) {
      for (let place = line.first; place !== null; place = place.after) all.push(place.waiting)
    }
    all.sort((a, b) => a.heldSince - b.heldSince)
    for (const waiting of all) if (waiting.place !== null) waiting.tryAgain()
    this.#endIdlePacing()
  }

  /** Looks again, also at instances that refused a connection a while ago. Called often. */
  tryAgain(): void {
    for (const pause of this.#pauses.values()) {
      if (pause.line.count === 0) continue
      this.letGo(pause)
      if (pause.line.count === 0) this.#endIdlePacing()
    }
    for (const pool of this.#pools.values()) {
      if (pool.line.count === 0) continue
      if (pool.pacing) growByTime(pool)
      this.letGo(pool)
    }
  }

  expireAt(now: number, limits: DataPlaneLimits): void {
    for (const { line } of this.#pools.values()) {
      for (let first = line.first; first !== null; first = line.first) {
        if (now - first.waiting.heldSince < limits.holdTimeoutMs) break
        first.waiting.expire()
        if (line.first === first) break
      }
    }
  }

  #endIdlePacing(): void {
    for (const pool of this.#pools.values()) if (pool.pacing && pool.line.count === 0) endPacing(pool)
  }

  *#all(): Iterable<LineOwner> {
    yield* this.#pauses.values()
    yield* this.#pools.values()
  }
}

const NO_PAUSES: ReadonlyMap<string, PauseLine> = new Map()
