import { DEFAULT_POLICY, type Listener } from '../../src/contracts/routing.ts'
import { PoolState } from '../routing/pool-state.ts'

/**
 * Where requests to a paused address wait. No instance is ready here, so whoever leaves it for a pool is let go at that
 * pool's pace (pacing.ts).
 */
export class PauseLine extends PoolState {
  /** Monotonic milliseconds: then it is over, whatever the table says. */
  until = 0

  constructor({ key, service, role, endpoint }: Listener, workers: number) {
    const nobody = { key, service, role, endpoint, deployment: '', policy: DEFAULT_POLICY }
    super({ ...nobody, targets: [], expecting: false, drainTimeoutMs: 0 }, workers)
    this.pacing = true
  }
}
