const TICKS = 5

/**
 * Calls `over` once after `ms` of this process running. A standstill of the whole process counts as one tick at most: what
 * others said meanwhile is read before they are blamed. Returns what calls it off.
 */
export function patience(ms: number, over: () => void): () => void {
  let left = TICKS
  const timer = setInterval(() => {
    if (--left > 0) return
    clearInterval(timer)
    over()
  }, ms / TICKS)
  return () => clearInterval(timer)
}
