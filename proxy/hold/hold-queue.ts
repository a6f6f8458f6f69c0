import type { DataPlaneLimits } from '../../src/contracts/routing.ts'
import type { CompiledPool } from '../routing/snapshot.ts'

/** A request that waits for an instance to become ready. */
export interface Held {
  /** Monotonic milliseconds; stays when it is held again. */
  readonly heldSince: number
  /** Bytes kept for it. */
  readonly heldBytes: number
  /** Choose again from the table now current. Removes itself from the queue if it need not wait any longer. */
  tryAgain(): void
  /** It waited for holdTimeout. */
  expire(): void
}

interface Load {
  count: number
  bytes: number
}

interface Place {
  readonly pool: CompiledPool
  readonly load: Load
  bytes: number
}

/** Requests held because nothing is ready but something is expected to be; bounded per pool in count and bytes, each in time. */
export class HoldQueue {
  readonly #held = new Map<Held, Place>()
  readonly #loads = new Map<string, Load>()

  get size(): number {
    return this.#held.size
  }

  /** False if the pool's share is full: the request is answered 503. */
  add(held: Held, pool: CompiledPool, limits: DataPlaneLimits): boolean {
    const { key } = pool.pool
    const known = this.#held.get(held)
    if (known !== undefined && known.pool === pool) return true
    this.remove(held)
    const load = this.#loads.get(key) ?? { count: 0, bytes: 0 }
    const bytes = held.heldBytes
    if (load.count >= limits.holdMax || load.bytes + bytes > limits.holdBytes) return false
    this.#loads.set(key, load)
    load.count++
    load.bytes += bytes
    this.#held.set(held, { pool, load, bytes })
    return true
  }

  /** More of a held request's body came in. False: stop reading it. */
  grow(held: Held, bytes: number, limits: DataPlaneLimits): boolean {
    const place = this.#held.get(held)
    if (place === undefined) return true
    place.bytes += bytes
    place.load.bytes += bytes
    return place.load.bytes <= limits.holdBytes
  }

  remove(held: Held): void {
    const place = this.#held.get(held)
    if (place === undefined) return
    this.#held.delete(held)
    place.load.count--
    place.load.bytes -= place.bytes
    if (place.load.count === 0) this.#loads.delete(place.pool.pool.key)
  }

  /** A new table is current: everybody chooses again, in order of arrival. */
  releaseInOrder(): void {
    for (const held of inOrder(this.#held.keys())) held.tryAgain()
  }

  /**
   * Looks again at instances that refused a connection: the first that waits for such a pool tries one whose suspicion is
   * over, the others follow once a connection was made (`suspectUntil` is 0 again).
   */
  probeAt(now: number): void {
    if (this.#held.size === 0) return
    const probed = new Set<CompiledPool>()
    for (const held of inOrder(this.#held.keys())) {
      const pool = this.#held.get(held)?.pool
      if (pool === undefined) continue
      if (pool.ready.some(target => target.suspectUntil === 0)) held.tryAgain()
      else if (!probed.has(pool) && pool.ready.some(target => target.suspectUntil <= now)) {
        probed.add(pool)
        held.tryAgain()
      }
    }
  }

  expireAt(now: number, limits: DataPlaneLimits): void {
    for (const held of Array.from(this.#held.keys())) if (now - held.heldSince >= limits.holdTimeoutMs) held.expire()
  }
}

/** One that was held, tried and is held again stands behind younger ones in the map. */
function inOrder(held: Iterable<Held>): Held[] {
  return [...held].toSorted((a, b) => a.heldSince - b.heldSince)
}
