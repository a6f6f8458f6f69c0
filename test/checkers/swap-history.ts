import type { RequestLine } from '../system/faults/history/line.ts'
import type { History } from './recording.ts'
import { slotTimeline, type SlotChange, type SlotMap } from './slot-timeline.ts'
import type { Verdict, Violation } from './verdict.ts'

type Vip = keyof SlotMap

const EMPTY: SlotMap = { production: null, staging: null }

/**
 * Both addresses change hands at one instant. Each change of the slots lies within its bounds; a request that was answered
 * by a deployment says that the slots held it at some instant between the request's start and the head of its answer, so it
 * moves those bounds. Where they cross there is no instant at which the change can have been one step: an old answer after
 * a new one on either address, a new one before the swap was asked for, an old one after it was acknowledged. What fits no
 * slot at any instant of the request is a stranger. What fits two spans that are not neighbours says nothing.
 */
export function checkSwapHistory(history: History, service: string): Verdict {
  const changes = slotTimeline(history, service)
  const bounds = changes.map(change => ({ change, low: change.from, high: change.to, old: '', new: '' }))
  const violations: Violation[] = []
  let judged = 0
  for (const request of history.lines('request')) {
    const { vip, deployment, start, head } = request
    if (deployment === '' || head === null || !isSlot(vip)) continue
    const spans = spansOf(changes, vip, deployment, start, head)
    const [span] = spans
    if (span === undefined) {
      violations.push({ at: start, text: `stranger: ${words(request)}, which was not there at any instant of it` })
      continue
    }
    if (spans.length > 1) continue
    judged += 1
    const [began, ended] = [bounds[span.first - 1], bounds[span.last]]
    if (began !== undefined && head < began.high) Object.assign(began, { high: head, new: words(request) })
    if (ended !== undefined && start > ended.low) Object.assign(ended, { low: start, old: words(request) })
  }
  for (const { change, low, high, old, new: newer } of bounds) {
    if (low <= high) continue
    const seen = [old === '' ? 'nothing new before it was called for' : `still ${old}`, newer === '' ? '' : newer]
    const text = `${change.what} was no one step: ${(low - high).toFixed(1)} ms apart, ${seen.join('; ')}`
    violations.push({ at: high, text })
  }
  return { name: 'swap history', judged, of: 'answers', violations }
}

function isSlot(vip: string): vip is Vip {
  return vip === 'production' || vip === 'staging'
}

function words({ vip, deployment, nonce, start, head }: RequestLine): string {
  return `${vip} answered by ${deployment} (request ${nonce}, ${start.toFixed(1)} to ${(head ?? 0).toFixed(1)})`
}

/** Runs of neighbouring spans of the timeline that may touch the request and hold the deployment. Span n follows change n. */
function spansOf(
  changes: readonly SlotChange[],
  vip: Vip,
  deployment: string,
  start: number,
  head: number,
): { first: number; last: number }[] {
  const found: { first: number; last: number }[] = []
  // Span n lasts from change n - 1 at its earliest to change n at its latest.
  for (let n = firstEndingFrom(changes, start); n <= changes.length; n += 1) {
    const began = changes[n - 1]
    if (began !== undefined && began.from > head) break
    if ((began?.map ?? EMPTY)[vip] !== deployment) continue
    const last = found.at(-1)
    if (last?.last === n - 1) last.last = n
    else found.push({ first: n, last: n })
  }
  return found
}

/** The first change that may come at or after a time; the number of changes where none may. */
function firstEndingFrom(changes: readonly SlotChange[], time: number): number {
  let low = 0
  let high = changes.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((changes[middle]?.to ?? Infinity) < time) low = middle + 1
    else high = middle
  }
  return low
}
