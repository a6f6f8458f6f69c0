import { checkOnce } from './once.ts'
import { checkOrphans } from './orphans.ts'
import type { History } from './recording.ts'
import { checkRegister } from './register.ts'
import { checkStreams } from './streams.ts'
import { checkSwapHistory } from './swap-history.ts'
import type { Verdict } from './verdict.ts'
import { checkDomains, checkDrains, checkVersions } from './walk.ts'

/** Every checker over one recording. */
export function checkAll(
  history: History,
  { service, drainTimeoutMs }: { service: string; drainTimeoutMs: number },
): Verdict[] {
  return [
    checkSwapHistory(history, service),
    checkDomains(history),
    checkDrains(history, drainTimeoutMs),
    checkVersions(history),
    checkOnce(history),
    checkOrphans(history),
    checkRegister(history),
    checkStreams(history, drainTimeoutMs),
  ]
}

const SHOWN = 10

/** A line for each verdict, and its first violations below it. */
export function verdictText(verdicts: readonly Verdict[]): string {
  return verdicts
    .flatMap(({ name, judged, of, violations }) => [
      `${violations.length === 0 ? 'held  ' : 'BROKEN'}  ${name}: ${judged} ${of}${violations.length === 0 ? '' : `, ${violations.length} violations`}`,
      ...violations.slice(0, SHOWN).map(({ at, text }) => `          ${new Date(at).toISOString()} ${text}`),
    ])
    .join('\n')
}
