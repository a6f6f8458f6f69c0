/** What one request saw: when it was sent, when its answer was received, and the number of the swap that led to what answered. */
export interface Seen {
  readonly sent: number
  readonly received: number
  readonly version: number
}

/**
 * Requests that were sent after an answer of a newer side had been received, and got an older one: pairs of what they saw
 * and the newest version known when they were sent.
 */
export function wentBack(history: readonly Seen[]): { seen: Seen; known: number }[] {
  const byAnswer = history.toSorted((a, b) => a.received - b.received)
  const bySending = history.toSorted((a, b) => a.sent - b.sent)
  const violations: { seen: Seen; known: number }[] = []
  let known = -1
  let next = 0
  for (const seen of bySending) {
    for (let answer = byAnswer[next]; answer !== undefined && answer.received < seen.sent; answer = byAnswer[next]) {
      known = Math.max(known, answer.version)
      next++
    }
    if (seen.version < known) violations.push({ seen, known })
  }
  return violations
}
