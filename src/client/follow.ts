import { setTimeout as delay } from 'node:timers/promises'
import { backoffDelay } from '../core/backoff.ts'
import { VipswapError } from '../core/errors.ts'
import { formatDuration } from '../core/duration.ts'
import type { OperationView } from '../contracts/api/operation.ts'

export interface FollowOptions {
  /** Called with each view that differs from the one before, the last included. */
  readonly onProgress?: (operation: OperationView) => void
  /** Called when the controller went away, and (with null) when it is back. */
  readonly onAway?: (error: VipswapError | null) => void
  /** Milliseconds until `timed_out`; none by default. */
  readonly timeoutMs?: number
  /** How long a controller may be away, in milliseconds; default one minute. */
  readonly awayMs?: number
  readonly signal?: AbortSignal
}

const POLL_SECONDS = 0.5
const RETRY = { firstMs: 100, capMs: 2000 }

/**
 * Follows an operation to its end by long polls, over restarts of the controller. Rejects with `timed_out`,
 * `cancelled` (the signal; the operation goes on), `unreachable`, or what the controller refuses with.
 */
export async function followOperation(
  id: string,
  ask: (waitSeconds: number, signal: AbortSignal) => Promise<OperationView>,
  options: FollowOptions = {},
): Promise<OperationView> {
  const { onProgress, onAway, timeoutMs = Infinity, awayMs = 60_000 } = options
  const deadline = performance.now() + timeoutMs
  const signal = options.signal ?? new AbortController().signal
  let seen = ''
  let failures = 0
  let awaySince = 0
  for (;;) {
    if (signal.aborted)
      throw new VipswapError('cancelled', `no longer watching; operation ${id} goes on`, { operation: id })
    const rest = deadline - performance.now()
    if (rest <= 0) {
      const message = `operation ${id} has not ended after ${formatDuration(timeoutMs)}; it goes on`
      throw new VipswapError('timed_out', message, { operation: id })
    }
    try {
      const operation = await ask(Math.min(POLL_SECONDS, rest / 1000), signal)
      if (failures > 0) onAway?.(null)
      failures = 0
      const text = JSON.stringify(operation)
      if (text !== seen) onProgress?.(operation)
      seen = text
      if (operation.status !== 'InProgress') return operation
    } catch (error) {
      if (!(error instanceof VipswapError) || signal.aborted) continue
      if (error.code !== 'unreachable') throw error
      if (failures === 0) {
        awaySince = performance.now()
        onAway?.(error)
      }
      if (performance.now() - awaySince > awayMs) throw error
      await delay(Math.min(backoffDelay(failures, RETRY, Math.random()), Math.max(1, rest)), null, { signal }).catch(
        () => undefined,
      )
      failures += 1
    }
  }
}
