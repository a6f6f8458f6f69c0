import type { Prng } from './prng.ts'
import type { World } from './world.ts'

/** One direction of a connection: what is sent arrives in order, late, or not at all once it is closed. */
class Lane {
  open = true
  /** What was sent before arrives, nothing later. */
  sealed = false
  readonly #waiting: (() => void)[] = []
  readonly #world: World
  readonly #link: Link
  #lastAt = 0

  constructor(world: World, link: Link) {
    this.#world = world
    this.#link = link
  }

  send(arrive: () => void): void {
    if (!this.open || this.sealed) return
    this.#waiting.push(arrive)
    const at = Math.max(this.#lastAt, this.#world.time + this.#link.latency())
    this.#lastAt = at
    this.#world.after(at - this.#world.time, () => this.#deliver())
  }

  #deliver(): void {
    if (!this.open) return
    const { silentUntil } = this.#link
    // Each arrival takes the oldest, so the order stays.
    if (this.#world.time < silentUntil) this.#world.after(silentUntil - this.#world.time, () => this.#deliver())
    else this.#waiting.shift()?.()
  }
}

/** How a connection ends. Times are simulated milliseconds from now. */
export interface Cut {
  /** When the peer, and when the controller, learns of it: one may dial again before the other knows. */
  readonly peerMs: number
  readonly controllerMs: number
  /** What was on its way to the controller still arrives, as from a socket's buffer; so also after a newer hello. */
  readonly flushed: boolean
}

/** The ends of a connection that want to know that it is over. */
export interface Ends {
  readonly peerClosed: () => void
  readonly controllerClosed: () => void
}

/** One connection between a peer and the controller: an ordered stream each way, with two ends that learn of its end apart. */
export class Link {
  /** Nothing arrives before: the network is silent both ways, and nobody is told. */
  silentUntil = 0
  readonly toController: Lane
  readonly toPeer: Lane
  readonly #world: World
  readonly #dice: Prng
  readonly #slowMs: number
  readonly #ends: Ends
  #cut = false
  #dropped = false

  constructor(world: World, dice: Prng, ends: Ends) {
    this.#world = world
    this.#dice = dice
    this.#ends = ends
    this.#slowMs = dice.chance(0.05) && !world.calm ? dice.between(50, 400) : 0
    this.toController = new Lane(world, this)
    this.toPeer = new Lane(world, this)
  }

  latency(): number {
    return this.#dice.between(0, 8) + (this.#slowMs > 0 ? this.#dice.between(0, this.#slowMs) : 0)
  }

  silence(ms: number): void {
    this.silentUntil = Math.max(this.silentUntil, this.#world.time + ms)
  }

  cut({ peerMs, controllerMs, flushed }: Cut): void {
    if (this.#cut) return
    this.#cut = true
    this.toPeer.open = false
    this.toController.sealed = true
    if (!flushed) this.toController.open = false
    this.#world.after(peerMs, () => this.#ends.peerClosed())
    this.#world.after(controllerMs, () => {
      this.toController.open = false
      if (!this.#dropped) this.#ends.controllerClosed()
    })
  }

  /** The controller closed its end, or died. What it had sent may still arrive until the peer learns of it. */
  dropByController(peerMs: number): void {
    this.#dropped = true
    this.toController.open = false
    if (this.#cut) return
    this.#cut = true
    this.#world.after(peerMs, () => {
      this.toPeer.open = false
      this.#ends.peerClosed()
    })
  }
}
