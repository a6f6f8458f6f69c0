import type { UpgradeMode } from '../../../model/states.ts'

/** What stands between two domains, in each mode. */
export const MODES = {
  monitored: 'each domain stays healthy for a while before the next; else it is rolled back',
  auto: 'enough instances of the new version are ready before the next domain',
  manual: 'each domain waits for a walk',
  'unmonitored-auto': 'straight on, no health check',
  'unmonitored-manual': 'the first domain at once, then each waits for a walk',
  simultaneous: 'all domains together: callers are held or see 503 meanwhile',
} as const satisfies Record<UpgradeMode, string>
