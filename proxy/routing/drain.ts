import type { TargetState } from './target.ts'

/** The part of a drain, at its end, over which those who can come back are told to go. */
const TOLD_SHARE = 1 / 3
/** After the deadline, how long an orderly end may take. */
const CUT_AFTER_MS = 2000

/**
 * A target drains from `now` on and has `ms` left. Told again it can only end earlier, and what was told to go is not told
 * again.
 */
export function beginDrain(target: TargetState, now: number, ms: number): void {
  const deadline = now + ms
  target.drainDeadline = Math.min(target.drainDeadline, deadline)
  target.drainTellFrom = Math.min(target.drainTellFrom, deadline - ms * TOLD_SHARE)
  target.idle.retireAll()
}

/** It is in the table again. */
export function endDrain(target: TargetState): void {
  target.drainDeadline = Infinity
  target.drainTellFrom = Infinity
  target.orderlyEndBegun = false
}

/**
 * Ends what a draining target still has open, as far as its time has come at `now`; `last` is when this was called before.
 * WebSockets and event streams go at moments spread evenly over the end of the drain, so that their clients do not come
 * back all at once; the others at the deadline; what is left 2 s later is cut.
 */
export function drainAt(target: TargetState, now: number, last: number, random: () => number = Math.random): void {
  const { drainDeadline, drainTellFrom } = target
  if (now < drainTellFrom || target.open.size === 0) return
  if (now < drainDeadline) {
    const from = Math.max(last, drainTellFrom)
    // The share of the time left that has passed since: each is told at a moment of its own, evenly spread.
    const share = (now - from) / (drainDeadline - from)
    for (const open of target.open.all()) if (random() < share) open.endEarly()
    return
  }
  if (!target.orderlyEndBegun) {
    target.orderlyEndBegun = true
    for (const open of target.open.all()) open.endOrderly()
  }
  if (now >= drainDeadline + CUT_AFTER_MS) for (const open of target.open.all()) open.cut('drain-deadline')
}
