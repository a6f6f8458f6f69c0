import { performance } from 'node:perf_hooks'
import { type Asker, chooseTarget } from '../balancing/choose.ts'
import { isOwnLimit, noteConnection, noteFailure, noteNoConnection, noteTrialAnswered } from '../balancing/outliers.ts'
import { beginPacing, growByAnswer } from '../balancing/pacing.ts'
import type { PauseLine } from '../hold/pause-line.ts'
import type { Place, Waiting } from '../hold/waiting-line.ts'
import type { OwnAnswer } from '../http1/own-answer.ts'
import { Account, type Outcome } from '../ledger/account.ts'
import { routeFor, type CompiledPool, type Route } from '../routing/snapshot.ts'
import type { InFlight, TargetState } from '../routing/target.ts'
import type { TlsSite } from '../tls/tls-site.ts'
import type { GateWaiter, Plane } from './plane.ts'

/**
 * Whatever needs an instance: a request, or a connection to a tcp endpoint. It is given one, held until one is ready and
 * free, or refused; may be given another if the first takes no connection; is counted on it and in the ledger.
 */
export abstract class Seeker implements InFlight, Waiting, GateWaiter, Asker {
  openAt = 0
  heldSince = 0
  place: Place | null = null
  tried: Set<TargetState> | null = null
  protected readonly plane: Plane
  protected readonly account: Account
  protected route: Route | null = null
  protected target: TargetState | null = null
  /** It was given its instance although that is passed over. */
  #onTrial = false

  /** `now`: it has arrived. */
  constructor(plane: Plane, now: number) {
    this.plane = plane
    this.account = new Account(plane.ledger, now)
  }

  /** Key of the address it came in by. */
  abstract get address(): string
  /** Decides between listeners of one address; lower-case, '' where none is named. */
  abstract get hostName(): string
  abstract get heldBytes(): number
  /** Of its body, as far as that is known. */
  abstract get bodyBytes(): number
  abstract get clientHash(): number
  abstract get wanted(): string
  /** An outer balancer's question whether this proxy is there. */
  protected abstract get isBalancerProbe(): boolean
  abstract endEarly(): void
  abstract endOrderly(): void
  abstract cut(cause: 'drain-deadline' | 'upstream-closed'): void
  /** By its server name, the TLS connection it came by is one on which `route` must not be served. */
  protected abstract misdirected(site: TlsSite, route: Route): boolean
  /** Counted on `target` in this very step. `now` is monotonic. */
  protected abstract onChosen(target: TargetState, now: number): void
  /** It waits, at the gate or for an instance. */
  protected abstract onWaiting(): void
  /** It gets no instance. */
  protected abstract onRefused(outcome: Outcome, answer: OwnAnswer): void

  get isWaiting(): boolean {
    return this.place !== null
  }

  /** Picks an instance from the table now current and counts the request on it, in one synchronous step. `now` is monotonic. */
  choose(now: number): void {
    const { plane } = this
    if (plane.gateClosed) {
      this.#waitAtGate()
      return
    }
    const site = plane.snapshot.sites.get(this.address)
    const route = site === undefined ? null : routeFor(site, this.hostName)
    if (route === null) {
      if (site !== undefined) this.account.vip = site.first.listener.key
      this.account.chosen(null, 0)
      const detail =
        site === undefined ? 'this address is served no more' : `no service here is called ${this.hostName}`
      this.onRefused('refused', { status: site === undefined ? 503 : 421, error: 'destination_not_found', detail })
      return
    }
    this.account.vip = route.listener.key
    if (site !== undefined && site.tls !== null && this.misdirected(site.tls, route)) {
      this.account.chosen(null, 0)
      const detail = 'this connection was made for another name'
      this.onRefused('refused', { status: 421, error: 'destination_not_found', detail })
      return
    }
    this.route = route
    const { pool } = route
    const { maxBodyBytes } = route.listener.options
    if (maxBodyBytes !== null && this.bodyBytes > maxBodyBytes) {
      this.account.chosen(null, 0)
      this.refuseBody(maxBodyBytes)
      return
    }
    if (route.pause !== null && this.#isHeldBack(route.pause, now)) return
    const target = pool !== null && this.#mayPass(pool) ? chooseTarget(pool, this, now) : null
    if (target === null) {
      this.#noneNow(route, now)
      return
    }
    if (this.place !== null) {
      plane.hold.leave(this)
      this.account.heldFor(now - this.heldSince)
    }
    target.inFlight++
    target.open.add(this)
    this.target = target
    if (target.avoidUntil !== 0) {
      this.#onTrial = true
      target.trials++
    }
    if (this.account.chosen(target, now)) target.pool.budget.requests++
    this.onChosen(target, now)
  }

  tryAgain(): void {
    this.choose(performance.now())
  }

  onGateOpen(): void {
    this.choose(performance.now())
  }

  expire(): void {
    this.nameVip()
    const owner = this.place?.owner
    owner?.expired()
    if (this.heldSince > 0) this.account.heldFor(performance.now() - this.heldSince)
    this.onRefused(
      'hold-expired',
      owner?.isBusy === true
        ? { status: 503, error: 'connection_limit_reached', detail: 'every instance was busy for too long' }
        : { status: 503, error: 'destination_unavailable', detail: 'nothing became ready in time' },
    )
  }

  protected refuseBody(maxBodyBytes: number): void {
    const detail = `the body is longer than ${maxBodyBytes} bytes`
    this.onRefused('refused', { status: 413, error: 'http_request_error', detail })
  }

  /** Before a choice nobody knows whose it is: then it is the address's first listener's. */
  protected nameVip(): void {
    if (this.account.vip !== '') return
    const site = this.plane.snapshot.sites.get(this.address)
    if (site !== undefined) this.account.vip = site.first.listener.key
  }

  /** By the table now current another instance serves this, or is expected to. */
  protected get hasElsewhere(): boolean {
    const pool = this.#poolNow()
    return pool !== null && (pool.pool.expecting || pool.ready.some(other => other !== this.target))
  }

  /** By the table now current, which may be another one than it was chosen by. */
  #poolNow(): CompiledPool | null {
    const site = this.plane.snapshot.sites.get(this.address)
    return (site === undefined ? null : routeFor(site, this.hostName))?.pool ?? null
  }

  /** A connection to the instance was made: whoever waits for it may follow. */
  protected connected(): void {
    const { target } = this
    if (target === null || target.avoidUntil === 0) return
    noteConnection(target)
    this.plane.onRoom(target)
  }

  /** The instance has begun to answer, or tunnels. */
  protected answers(): void {
    const { target } = this
    if (target === null) return
    if (this.#onTrial) noteTrialAnswered(target, performance.now())
    if (target.cap < target.limit) {
      growByAnswer(target)
      this.plane.onRoom(target)
    }
  }

  /** The instance has answered whole, or tunnels. */
  protected answeredWell(): void {
    if (this.target !== null && this.target.failures !== 0) this.target.failures = 0
  }

  /** The instance took the request and failed on it. */
  protected failed(): void {
    const now = performance.now()
    if (this.target !== null && !this.plane.stoodStill(now)) noteFailure(this.target, now, this.#onTrial)
  }

  /**
   * The instance took no connection: tries another one, or waits until one takes connections again if something is expected
   * to become ready. False: there is no way left.
   */
  protected seekAfterRefusal(error: Error): boolean {
    const { target } = this
    if (target === null) return false
    this.plane.metrics.add('connectFailures')
    const now = performance.now()
    if (!isOwnLimit(error)) noteNoConnection(target, now, this.#onTrial)
    return this.seekUntouched(now)
  }

  /** Nothing was sent to its instance: as after a refusal, without a word about the instance. */
  protected seekUntouched(now: number): boolean {
    const { target } = this
    if (target === null) return false
    const tried = (this.tried ??= new Set())
    tried.add(target)
    const pool = this.#poolNow()
    if ((pool?.ready.some(other => !tried.has(other)) ?? false) && this.seekElsewhere()) return true
    if (pool === null || !pool.pool.expecting) return false
    this.account.replayed()
    this.release()
    tried.clear()
    this.#wait(pool, now, true)
    return true
  }

  /** Gives the instance up and chooses again, as far as the pool's budget for replays goes. */
  protected seekElsewhere(): boolean {
    const pool = this.target?.pool
    if (pool === undefined) return false
    if (!pool.budget.take()) {
      pool.counts.retriesDenied++
      this.plane.metrics.add('replaysDenied')
      return false
    }
    pool.counts.retries++
    this.account.replayed()
    this.release()
    this.choose(performance.now())
    return true
  }

  protected release(): void {
    const { target } = this
    if (target === null) return
    this.target = null
    target.open.delete(this)
    target.inFlight--
    if (this.#onTrial) {
      this.#onTrial = false
      target.trials--
    }
    this.plane.onReleased(target)
  }

  /** It is over: nothing of it waits or is counted as open any more. */
  protected conclude(outcome: Outcome): void {
    this.nameVip()
    this.plane.hold.leave(this)
    this.plane.leaveGate(this)
    this.account.ended(outcome)
    this.release()
  }

  /** More is kept for it while it waits. False: there is no room for further bytes. */
  protected growHeld(bytes: number): boolean {
    const { plane } = this
    const max = plane.shareOf(plane.snapshot.limits.holdBytes)
    return this.place === null ? plane.growAtGate(this, bytes, max) : plane.hold.grow(this, bytes, max)
  }

  /** Also a replayed one: bytes of its body are kept, and no clock of the last try runs on. */
  #waitAtGate(): void {
    const { plane } = this
    const { limits, sites } = plane.snapshot
    const site = sites.get(this.address)
    const route = site === undefined ? null : routeFor(site, this.hostName)
    // By the present table: most changes lead the same address elsewhere.
    if (route === null) this.nameVip()
    else this.account.vip = route.listener.key
    this.account.chosen(null, 0)
    this.onWaiting()
    if (plane.waitAtGate(this, plane.shareOf(limits.holdMax), plane.shareOf(limits.holdBytes))) return
    const detail = 'too many requests wait for a change to be done'
    this.onRefused('hold-full', { status: 503, error: 'destination_unavailable', detail })
  }

  /** Its address is paused: it waits, or gets an answer that needs no instance. False: that is over. */
  #isHeldBack(pause: PauseLine, now: number): boolean {
    if (now >= pause.until) {
      // Those who were held come before it.
      if (this.place?.owner !== pause) this.plane.hold.letGo(pause)
      return false
    }
    if (this.place?.owner === pause) return true
    this.account.chosen(null, 0)
    if (this.isBalancerProbe) {
      const detail = 'this address is paused, and the proxy is well'
      this.onRefused('refused', { status: 200, error: 'destination_unavailable', detail })
      return true
    }
    this.onWaiting()
    const { plane } = this
    const { limits } = plane.snapshot
    const isFirst = this.heldSince === 0
    if (isFirst) this.heldSince = now
    if (plane.hold.join(this, pause, plane.shareOf(limits.holdMax), plane.shareOf(limits.holdBytes))) {
      if (isFirst) this.account.held()
    } else {
      const detail = 'this address is paused and too many requests wait'
      this.onRefused('hold-full', { status: 503, error: 'destination_unavailable', detail })
    }
    return true
  }

  /** Nobody came before it. */
  #mayPass({ state }: CompiledPool): boolean {
    const { place } = this
    // A line that was held for want of any instance is let go little by little, also where a swap has sent it elsewhere.
    if (place !== null && place.owner !== state && place.owner.pacing) beginPacing(state)
    return state.line.first === null || state.line.first === place
  }

  #noneNow({ listener, pool }: Route, now: number): void {
    this.account.chosen(null, 0)
    const { reason } = listener
    if (pool === null) {
      const detail = reason ?? 'nothing is deployed here'
      this.onRefused('refused', { status: 503, error: 'destination_unavailable', detail })
    } else if (pool.ready.length > 0 || pool.pool.expecting) {
      this.#wait(pool, now, pool.ready.length === 0 || pool.state.pacing)
    } else {
      const detail = reason ?? 'no instance is ready'
      this.onRefused('no-instance', { status: 503, error: 'destination_unavailable', detail })
    }
  }

  /** `isOutage`: no instance takes requests, rather than all being busy. */
  #wait({ state, pool }: CompiledPool, now: number, isOutage: boolean): void {
    if (this.place?.owner === state) return
    this.onWaiting()
    const { plane } = this
    const { limits } = plane.snapshot
    const isFirst = this.heldSince === 0
    if (isFirst) this.heldSince = now
    else if (this.place?.owner.isPause === true) {
      // The time of a pause is not taken off what a request may wait for an instance.
      this.account.heldFor(now - this.heldSince)
      this.heldSince = now
    }
    if (isOutage) beginPacing(state)
    const max = plane.shareOf(isOutage ? limits.holdMax : pool.policy.maxQueue)
    if (plane.hold.join(this, state, max, plane.shareOf(limits.holdBytes))) {
      if (isOutage) state.counts.held++
      else state.counts.queued++
      if (isFirst) this.account.held()
    } else if (isOutage) {
      state.counts.holdFull++
      const detail = 'too many requests wait for an instance'
      this.onRefused('hold-full', { status: 503, error: 'destination_unavailable', detail })
    } else {
      state.counts.queueFull++
      const detail = 'every instance is busy and too many requests wait'
      this.onRefused('hold-full', { status: 503, error: 'connection_limit_reached', detail })
    }
  }
}
