import { emptyTimes, mayBeEmpty } from './empty-times.ts'
import type { History } from './recording.ts'
import type { Verdict, Violation } from './verdict.ts'

/** From the proxy's first word of the end of an instance to that end, at most, in milliseconds. */
const BEFORE_MS = 1500

/**
 * A stream (WebSocket, SSE) stays where it is over swaps and restarts of the controller: it is ended only when its instance is
 * stopped or something was done to the system, and a WebSocket never without a close frame then.
 */
export function checkStreams(history: History, drainTimeoutMs: number): Verdict {
  const told = [...history.lines('noted')].filter(({ what }) => what === 'told')
  const injected = [...history.lines('injected')]
  const empty = emptyTimes(history)
  const violations: Violation[] = []
  let judged = 0
  for (const { kind, vip, deployment, instance, start, end, how } of history.lines('stream')) {
    judged += 1
    const text = `${kind} on ${vip} to ${deployment}/${instance} of ${((end - start) / 1000).toFixed(1)} s: ${how}`
    if (injected.some(({ at }) => at <= end && end - at < drainTimeoutMs + BEFORE_MS)) continue
    if (how === 'refused' && mayBeEmpty(empty, vip, start, end)) continue
    if (how === 'corrupt' || how === 'refused') violations.push({ at: end, text })
    else if (
      !told.some(
        note => note.deployment === deployment && note.instance === instance && Math.abs(note.at - end) < BEFORE_MS,
      )
    )
      violations.push({ at: end, text: `${text}, and its instance was not being stopped` })
    else if (how === 'closed 1006') violations.push({ at: end, text: `${text}, without a close frame` })
  }
  return { name: 'streams end with their instance', judged, of: 'ended streams', violations }
}
