/** Something that took effect at one instant between two times, and what it says of the state before and after. */
export interface Step<S> {
  readonly name: string
  /** Milliseconds; it took effect at some instant from `from` to `to`. */
  readonly from: number
  readonly to: number
  /** The state after it; null: it cannot have happened in this one. */
  apply(state: S): S | null
}

export type Linearized =
  | { readonly ok: true }
  | { readonly ok: false; readonly explained: number; readonly stuck: readonly string[] }

/**
 * Is there an order of the steps that keeps to their times and that each of them allows? The search of Wing and Gong
 * (1993): any step that may come first is tried, and no state is tried twice with the same steps left.
 */
export function linearize<S>(steps: readonly Step<S>[], initial: S): Linearized {
  const ordered = [...steps].sort((a, b) => a.from - b.from)
  const tried = new Set<string>()
  const left = new Set(ordered.keys())
  let best: { explained: number; stuck: readonly string[] } = { explained: -1, stuck: [] }

  const search = (state: S): boolean => {
    if (left.size === 0) return true
    const key = `${[...left].join()} ${JSON.stringify(state)}`
    if (tried.has(key)) return false
    tried.add(key)
    let deadline = Infinity
    for (const index of left) deadline = Math.min(deadline, ordered[index]?.to ?? Infinity)
    // What begins after another's end cannot come before it.
    const candidates = [...left].filter(index => (ordered[index]?.from ?? Infinity) <= deadline)
    for (const index of candidates) {
      const next = ordered[index]?.apply(state) ?? null
      if (next === null) continue
      left.delete(index)
      if (search(next)) return true
      left.add(index)
    }
    const explained = ordered.length - left.size
    if (explained > best.explained) {
      const names = candidates.map(index => ordered[index]?.name ?? '')
      best = { explained, stuck: [`after ${JSON.stringify(state)}: none of`, ...names] }
    }
    return false
  }
  return search(initial) ? { ok: true } : { ok: false, ...best }
}
