import { WaitingLine, type LineOwner } from './waiting-line.ts'

/**
 * Where requests to a paused address wait. No instance is ready here, so whoever leaves it for a pool is let go at that
 * pool's pace (pacing.ts).
 */
export class PauseLine implements LineOwner {
  readonly line = new WaitingLine()
  readonly pacing = true
  readonly isBusy = false
  readonly isPause = true
  /** Monotonic milliseconds: then it is over, whatever the table says. */
  until = 0

  emptied(): void {
    // The next who comes waits as the first did.
  }

  expired(): void {
    // Counted in pools only.
  }
}
