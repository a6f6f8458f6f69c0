/** One worker's part of a bound that all workers of a proxy keep together: an even share, at least 1 of what is not 0. */
export function shareOf(bound: number, workers: number): number {
  return bound === 0 ? 0 : Math.max(1, Math.floor(bound / workers))
}
