import type { World } from './world.ts'

/** One connection: what is sent on it arrives in order, later, or not at all once it is broken. */
export class Link {
  open = true
  readonly #world: World
  #lastAt = 0

  constructor(world: World) {
    this.#world = world
  }

  /** Runs `arrive` at the other end. */
  send(arrive: () => void): void {
    const at = Math.max(this.#lastAt, this.#world.time + this.#world.random.between(0, 8))
    this.#lastAt = at
    this.#world.after(at - this.#world.time, () => {
      if (this.open) arrive()
    })
  }
}
