import { pickFault } from './faults.ts'
import { Prng, seedOf } from './prng.ts'

/** Something that is done to the fabric. What exactly follows from its own seed and the state it meets. */
export interface Happening {
  /** Its number in the whole plan: what is left out leaves the others their numbers. */
  readonly id: number
  readonly at: number
  /** An operator acts, or a fault of this kind strikes. */
  readonly what: 'operator' | { readonly fault: string }
  readonly seed: number
}

/** All that will happen in a run of this seed: operators now in a hurry, now not, and faults, few or many. */
export function planOf(seed: number, busyMs: number): Happening[] {
  const dice = new Prng(seedOf(seed, 'plan'))
  const plan: Happening[] = []
  const add = (at: number, what: Happening['what']): void => {
    plan.push({ id: plan.length, at, what, seed: seedOf(seed, `happening ${plan.length}`) })
  }
  for (let at = 50; at < busyMs; at += pause(dice)) add(at, 'operator')
  const rate = dice.pick([0, 0.5, 1, 2, 5])
  for (let at = next(dice, rate); at < busyMs; at += next(dice, rate)) add(at, { fault: pickFault(dice) })
  return plan.toSorted((a, b) => a.at - b.at)
}

function pause(dice: Prng): number {
  return dice.chance(0.2) ? dice.between(1, 100) : dice.between(200, 2500)
}

function next(dice: Prng, rate: number): number {
  return rate === 0 ? Infinity : dice.between(200, 4000) / rate
}
