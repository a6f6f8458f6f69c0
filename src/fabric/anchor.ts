import type { Moment } from '../core/clock.ts'

/** The start of a duration that survives restarts: `carriedMs` is what had elapsed when the clock was last re-based. */
export interface Anchor {
  wall: number
  mono: number
  bootId: string
  carriedMs: number
}

export function startAnchor(now: Moment): Anchor {
  return { wall: now.wall, mono: now.mono, bootId: now.bootId, carriedMs: 0 }
}

/** Milliseconds since the anchor. Under another boot nothing is known of the time between: only the carried part counts. */
export function elapsedMs(anchor: Anchor, now: Moment): number {
  return anchor.bootId === now.bootId ? anchor.carriedMs + Math.max(0, now.mono - anchor.mono) : anchor.carriedMs
}

/**
 * The same duration going on under the clock of `now`; unchanged under the same boot. `last` is a moment known to have
 * come before the reboot: what had elapsed by then is kept.
 */
export function rebase(anchor: Anchor, now: Moment, last: Moment | null = null): Anchor {
  if (anchor.bootId === now.bootId) return anchor
  const carriedMs = last === null ? anchor.carriedMs : elapsedMs(anchor, last)
  return { wall: now.wall, mono: now.mono, bootId: now.bootId, carriedMs }
}
