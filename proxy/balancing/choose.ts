import type { TargetState } from '../routing/target.ts'

/**
 * Least in flight of two random choices among `ready`. A target that just refused a connection, or that this request
 * already failed on (`avoid`), is taken only if there is no other.
 */
export function chooseTarget(
  ready: readonly TargetState[],
  avoid: ReadonlySet<TargetState> | null,
  now: number,
  random: () => number = Math.random,
): TargetState | null {
  const count = ready.length
  if (count === 0) return null
  const first = Math.floor(random() * count)
  const a = ready[first]
  if (count === 1) return a ?? null
  // An index of the others, each as likely.
  const second = (first + 1 + Math.floor(random() * (count - 1))) % count
  const b = ready[second]
  if (a === undefined || b === undefined) return null
  const better = a.inFlight <= b.inFlight ? a : b
  if (isUsable(better, avoid, now)) return better
  const other = better === a ? b : a
  if (isUsable(other, avoid, now)) return other

  let least: TargetState | null = null
  for (const target of ready) {
    if (isUsable(target, avoid, now) && (least === null || target.inFlight < least.inFlight)) least = target
  }
  if (least !== null) return least
  for (const target of ready) if (avoid === null || !avoid.has(target)) return target
  return better
}

function isUsable(target: TargetState, avoid: ReadonlySet<TargetState> | null, now: number): boolean {
  return target.suspectUntil <= now && (avoid === null || !avoid.has(target))
}
