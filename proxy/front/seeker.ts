import { chooseTarget } from '../balancing/choose.ts'
import type { Held } from '../hold/hold-queue.ts'
import type { OwnAnswer } from '../http1/own-answer.ts'
import { Account, type Outcome } from '../ledger/account.ts'
import { routeFor, type CompiledPool, type Route } from '../routing/snapshot.ts'
import type { InFlight, TargetState } from '../routing/target.ts'
import type { GateWaiter, Plane } from './plane.ts'

/** An instance that refused a connection is passed over for this long, if there is another. */
const SUSPECT_MS = 1000

/**
 * Whatever needs an instance: a request, or a connection to a tcp endpoint. It is given one, held until one is ready, or
 * refused; may be given another if the first takes no connection; is counted on it and in the ledger.
 */
export abstract class Seeker implements InFlight, Held, GateWaiter {
  heldSince = 0
  protected readonly plane: Plane
  protected readonly account: Account
  protected route: Route | null = null
  protected target: TargetState | null = null
  protected tried: Set<TargetState> | null = null

  constructor(plane: Plane) {
    this.plane = plane
    this.account = new Account(plane.ledger)
  }

  /** Key of the address it came in by. */
  abstract get address(): string
  /** Decides between listeners of one address; lower-case, '' where none is named. */
  abstract get hostName(): string
  abstract get heldBytes(): number
  abstract endEarly(): void
  abstract endOrderly(): void
  abstract cut(cause: 'drain-deadline' | 'upstream-closed'): void
  /** Counted on `target` in this very step. `now` is monotonic. */
  protected abstract onChosen(target: TargetState, now: number): void
  /** It waits, at the gate or for an instance. */
  protected abstract onWaiting(): void
  /** It gets no instance. */
  protected abstract onRefused(outcome: Outcome, answer: OwnAnswer): void

  /** Picks an instance from the table now current and counts the request on it, in one synchronous step. */
  choose(): void {
    const { plane } = this
    if (plane.gateClosed) {
      // Also a replayed one: bytes of its body are kept, and no clock of the last try runs on.
      this.onWaiting()
      plane.waitAtGate(this)
      return
    }
    const site = plane.snapshot.sites.get(this.address)
    const route = site === undefined ? null : routeFor(site, this.hostName)
    if (route === null) {
      if (site !== undefined) this.account.vip = site.first.listener.key
      this.#arrive(null)
      const detail =
        site === undefined ? 'this address is served no more' : `no service here is called ${this.hostName}`
      this.onRefused('refused', { status: site === undefined ? 503 : 421, error: 'destination_not_found', detail })
      return
    }
    this.route = route
    this.account.vip = route.listener.key
    const now = performance.now()
    const target = route.pool === null ? null : chooseTarget(route.pool.ready, this.tried, now)
    if (target === null) {
      this.#nothingReady(route, now)
      return
    }
    if (this.heldSince > 0) {
      plane.hold.remove(this)
      this.account.heldFor(now - this.heldSince)
    }
    target.inFlight++
    target.open.add(this)
    this.target = target
    this.#arrive(target)
    this.onChosen(target, now)
  }

  tryAgain(): void {
    this.choose()
  }

  onGateOpen(): void {
    this.choose()
  }

  expire(): void {
    this.nameVip()
    if (this.heldSince > 0) this.account.heldFor(performance.now() - this.heldSince)
    const detail = 'nothing became ready in time'
    this.onRefused('hold-expired', { status: 503, error: 'destination_unavailable', detail })
  }

  /** Before a choice nobody knows whose it is: then it is the address's first listener's. */
  protected nameVip(): void {
    if (this.account.vip !== '') return
    const site = this.plane.snapshot.sites.get(this.address)
    if (site !== undefined) this.account.vip = site.first.listener.key
  }

  /** By the table now current another instance serves this, or is expected to. */
  protected get hasElsewhere(): boolean {
    const site = this.plane.snapshot.sites.get(this.address)
    const pool = (site === undefined ? null : routeFor(site, this.hostName))?.pool
    return pool != null && (pool.pool.expecting || pool.ready.some(other => other !== this.target))
  }

  /** A connection to the instance was made: whoever waits for it may follow. */
  protected connected(): void {
    if (this.target !== null) this.target.suspectUntil = 0
  }

  /**
   * The instance took no connection: tries another one, or waits until one takes connections again if something is expected
   * to become ready. False: there is no way left.
   */
  protected seekAfterRefusal(): boolean {
    const { target } = this
    if (target === null) return false
    const now = performance.now()
    target.suspectUntil = now + SUSPECT_MS
    const tried = (this.tried ??= new Set())
    tried.add(target)
    const pool = this.route?.pool ?? null
    if (pool?.ready.some(other => !tried.has(other)) ?? false) return this.seekElsewhere()
    if (pool === null || !pool.pool.expecting) return false
    this.account.replayed()
    this.release()
    tried.clear()
    this.hold(pool, now)
    return true
  }

  /** Gives the instance up and chooses again, as far as the budget for replays goes. */
  protected seekElsewhere(): boolean {
    if (!this.plane.budget.take(performance.now())) return false
    this.account.replayed()
    this.release()
    this.choose()
    return true
  }

  protected hold(pool: CompiledPool, now: number): void {
    this.onWaiting()
    if (this.heldSince === 0) {
      this.heldSince = now
      this.account.held()
    }
    if (!this.plane.hold.add(this, pool, this.plane.snapshot.limits)) {
      const detail = 'too many requests wait for an instance'
      this.onRefused('hold-full', { status: 503, error: 'destination_unavailable', detail })
    }
  }

  protected release(): void {
    const { target } = this
    if (target === null) return
    this.target = null
    target.open.delete(this)
    target.inFlight--
    this.plane.onReleased(target)
  }

  /** It is over: nothing of it waits or is counted as open any more. */
  protected conclude(outcome: Outcome): void {
    if (this.heldSince > 0) this.plane.hold.remove(this)
    this.plane.leaveGate(this)
    this.account.ended(outcome)
    this.release()
  }

  #nothingReady({ listener, pool }: Route, now: number): void {
    this.#arrive(null)
    const { reason } = listener
    if (pool === null) {
      const detail = reason ?? 'nothing is deployed here'
      this.onRefused('refused', { status: 503, error: 'destination_unavailable', detail })
    } else if (pool.pool.expecting) {
      this.hold(pool, now)
    } else {
      const detail = reason ?? 'no instance is ready'
      this.onRefused('no-instance', { status: 503, error: 'destination_unavailable', detail })
    }
  }

  #arrive(target: TargetState | null): void {
    if (this.account.chosen(target)) this.plane.budget.onRequest()
  }
}
