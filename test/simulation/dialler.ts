import { Link, type Cut, type Ends } from './link.ts'
import type { Prng } from './prng.ts'
import type { SimController } from './sim-controller.ts'
import type { World } from './world.ts'

/** A peer's end: dials the controller, says hello, and dials again after each end of its connection. */
export class Dialler {
  link: Link | null = null
  /** Neither dials nor is reached. */
  #away = 0
  /** Its process runs. */
  #up = true
  readonly #world: World
  readonly #controller: SimController
  readonly #dice: Prng
  readonly #onDial: (link: Link) => void
  readonly #onClosed: (link: Link) => void

  constructor(
    world: World,
    controller: SimController,
    dice: Prng,
    handlers: { onDial: (link: Link) => void; onClosed: (link: Link) => void },
  ) {
    this.#world = world
    this.#controller = controller
    this.#dice = dice
    this.#onDial = handlers.onDial
    this.#onClosed = handlers.onClosed
  }

  dial(): void {
    if (this.link !== null || this.#away > 0 || !this.#up) return
    if (!this.#controller.up) {
      this.again()
      return
    }
    const ends: Ends = {
      peerClosed: () => {
        if (this.link !== link) return
        this.link = null
        this.again()
      },
      controllerClosed: () => this.#onClosed(link),
    }
    const link = new Link(this.#world, this.#dice, ends)
    this.link = link
    this.#controller.accepted(link)
    this.#onDial(link)
  }

  again(): void {
    this.#world.after(this.#dice.between(5, this.#world.calm ? 200 : 1500), () => this.dial())
  }

  /** The connection breaks, where there is one; each end learns of it in its time. */
  cut(cut: Cut): boolean {
    this.link?.cut(cut)
    return this.link !== null
  }

  /** Its own process is gone: the other end learns of it, perhaps late. */
  hangUp(controllerMs: number, flushed: boolean): void {
    const { link } = this
    this.link = null
    this.#up = false
    link?.cut({ peerMs: 0, controllerMs, flushed })
  }

  /** Its process is there again. */
  redial(): void {
    this.#up = true
    this.dial()
  }

  /** Cut off for a while: what is under way waits, no new connection is made. `told`: when the controller learns, or never. */
  partition(ms: number, told: number | null): void {
    this.#away += 1
    const { link } = this
    link?.silence(ms)
    if (told !== null) link?.cut({ peerMs: ms, controllerMs: told, flushed: false })
    this.#world.after(ms, () => {
      this.#away -= 1
      this.dial()
    })
  }
}
