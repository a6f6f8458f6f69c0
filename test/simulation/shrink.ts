import { planOf, type Happening } from './plan.ts'
import { busyTimeOf, simulate, type Failure, type Options, type Outcome } from './simulate.ts'

export interface Shrunk {
  /** What is left of the plan: with its seed it gives the failure again. */
  readonly keep: readonly number[]
  readonly of: number
  readonly runs: number
  readonly failure: Failure
}

/**
 * The same failure with as little as possible going on: delta debugging (Zeller and Hildebrandt, ddmin) over what happens.
 * Null where the seed does not fail.
 */
export function shrink(seed: number, options: Options = {}, mostRuns = 400): Shrunk | null {
  const busyMs = options.busyMs ?? busyTimeOf(seed)
  const whole = options.plan ?? planOf(seed, busyMs)
  const first = simulate(seed, { ...options, busyMs, plan: whole }).failure
  if (first === null) return null
  let runs = 1
  let failure: Failure = first
  const fails = (plan: readonly Happening[]): boolean => {
    if (runs >= mostRuns) return false
    runs += 1
    const found = simulate(seed, { ...options, busyMs, plan }).failure
    // Another rule broken is another failure.
    if (found === null || found.rule !== first.rule) return false
    failure = found
    return true
  }
  const until = whole.filter(({ at }) => at <= first.at)
  const plan = reduce(fails(until) ? until : whole, fails)
  return { keep: plan.map(({ id }) => id), of: whole.length, runs, failure }
}

/** The smallest list found of which `fails` still holds: pieces left out, in halves, quarters and so on. */
function reduce<T>(all: readonly T[], fails: (some: readonly T[]) => boolean): readonly T[] {
  let rest = all
  let pieces = 2
  while (rest.length > 0) {
    const size = Math.ceil(rest.length / pieces)
    let smaller: readonly T[] | null = null
    for (let from = 0; from < rest.length && smaller === null; from += size) {
      const without = [...rest.slice(0, from), ...rest.slice(from + size)]
      if (fails(without)) smaller = without
    }
    if (smaller !== null) {
      rest = smaller
      pieces = Math.max(2, pieces - 1)
    } else if (size === 1) return rest
    else pieces = Math.min(rest.length, pieces * 2)
  }
  return rest
}

/** The plan of a seed with only these happenings in it. */
export function planWith(seed: number, keep: readonly number[]): Happening[] {
  return planOf(seed, busyTimeOf(seed)).filter(({ id }) => keep.includes(id))
}

/** A failure for people: what was done, what came of it, and how to see it again. */
export function describe({ seed }: Pick<Outcome, 'seed'>, { keep, of, runs, failure }: Shrunk): string {
  return [
    `seed ${seed}, after ${(failure.at / 1000).toFixed(3)} s: ${failure.message}`,
    `  ${keep.length} of ${of} happenings are enough (${runs} runs):`,
    ...failure.script.map(line => `    ${line}`),
    '  the last events:',
    ...failure.lastEvents.slice(-25).map(line => `    ${line}`),
    `  again: npm run simulate -- --seeds 1 --from ${seed} --keep ${keep.join(',') || 'none'}`,
  ].join('\n')
}
