import type { Prng } from './prng.ts'
import type { World } from './world.ts'

/** What a node has of packages: fetched when wanted, now and then only at a second try. */
export class SimPackages {
  readonly #here = new Set<string>()
  #fetching = new Set<string>()
  #errors: Readonly<Record<string, string>> = {}
  #wanted: readonly string[] = []
  readonly #world: World
  readonly #dice: Prng
  readonly #onChange: () => void

  constructor(world: World, dice: Prng, onChange: () => void) {
    this.#world = world
    this.#dice = dice
    this.#onChange = onChange
  }

  has(digest: string): boolean {
    return this.#here.has(digest)
  }

  get told(): { packages: string[]; packageErrors: Readonly<Record<string, string>> } {
    return { packages: [...this.#here], packageErrors: this.#errors }
  }

  want(digests: readonly string[]): void {
    this.#wanted = digests
    for (const digest of this.#here) if (!digests.includes(digest)) this.#here.delete(digest)
    this.refetch()
  }

  refetch(): void {
    for (const digest of this.#wanted) this.#fetch(digest)
  }

  /** The machine went down: what was on its way is not. */
  forgetFetches(): void {
    this.#fetching = new Set()
  }

  #fetch(digest: string): void {
    if (this.#here.has(digest) || this.#fetching.has(digest)) return
    const fetching = this.#fetching
    fetching.add(digest)
    this.#world.after(this.#dice.between(5, 800), () => {
      if (!fetching.delete(digest) || fetching !== this.#fetching || !this.#wanted.includes(digest)) return
      if (!this.#world.calm && this.#dice.chance(0.03)) {
        this.#errors = { ...this.#errors, [digest]: 'could not be fetched' }
        this.#onChange()
        this.#world.after(1000, () => this.#fetch(digest))
        return
      }
      const { [digest]: _mended, ...errors } = this.#errors
      this.#errors = errors
      this.#here.add(digest)
      this.#onChange()
    })
  }
}
