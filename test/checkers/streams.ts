import { emptyTimes, mayBeEmpty } from './empty-times.ts'
import type { History } from './recording.ts'
import type { Verdict, Violation } from './verdict.ts'

/** From the end of an instance's streams to its SIGTERM, at most, in milliseconds. */
const BEFORE_MS = 3000

/**
 * A stream (WebSocket, SSE) stays where it is over swaps and restarts of the controller: it is ended only when its instance is
 * stopped, by a proxy that was replaced and ends what lasts too long, or when something was done to the system; and a WebSocket
 * never without a close frame but in the last case.
 */
export function checkStreams(history: History, drainTimeoutMs: number): Verdict {
  const replacements = [...history.lines('operation')].filter(({ call }) => call === 'replace proxy')
  const told = [...history.lines('noted')].filter(({ what }) => what === 'told')
  const injected = [...history.lines('injected')]
  const empty = emptyTimes(history)
  const violations: Violation[] = []
  let judged = 0
  for (const stream of history.lines('stream')) {
    const { kind, vip, deployment, instance, start, end, how } = stream
    judged += 1
    if (injected.some(({ at }) => at <= end && end - at < drainTimeoutMs + BEFORE_MS)) continue
    if (how === 'refused' && mayBeEmpty(empty, vip, start, end)) continue
    const isStopped = told.some(
      note =>
        note.deployment === deployment && note.instance === instance && start < note.at && end > note.at - BEFORE_MS,
    )
    const isMoved = replacements.some(replaced => replaced.start <= end && end <= replaced.end + BEFORE_MS)
    const text = `${kind} on ${vip} to ${deployment}/${instance} of ${((end - start) / 1000).toFixed(1)} s: ${how}`
    if (how === 'corrupt' || how === 'refused') violations.push({ at: end, text })
    else if (!isStopped && !isMoved)
      violations.push({ at: end, text: `${text}, and its instance was not being stopped` })
    else if (how === 'closed 1006') violations.push({ at: end, text: `${text}, without a close frame` })
  }
  return { name: 'streams end with their instance', judged, of: 'ended streams', violations }
}
