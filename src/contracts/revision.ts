/**
 * The age of a controller's word: `term` grows with every controller that takes over, `n` with every commit.
 * A peer refuses anything lower than what it applied.
 */
export interface Revision {
  readonly term: number
  readonly n: number
}

/** Negative, zero or positive, as a comparator. */
export function compareRevisions(a: Revision, b: Revision): number {
  return a.term - b.term || a.n - b.n
}

/** Has `acknowledged` reached `wanted`? Nothing acknowledged has reached nothing. */
export function hasReached(acknowledged: Revision | null, wanted: Revision): boolean {
  return acknowledged !== null && compareRevisions(acknowledged, wanted) >= 0
}
