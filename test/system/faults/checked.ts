import { checkAll } from '../../checkers/check-all.ts'
import { historyIn } from '../../checkers/recording.ts'
import { SERVICE } from './support/package.ts'

/** What one checker says of one recording. */
export interface Checked {
  readonly name: string
  readonly judged: number
  readonly of: string
  readonly violations: readonly string[]
}

/** Of the suite's packages. */
const DRAIN_TIMEOUT_MS = 3000

/** Every checker of test/checkers over one recording. */
export function checkRecording(file: string): Checked[] {
  return checkAll(historyIn(file), { service: SERVICE, drainTimeoutMs: DRAIN_TIMEOUT_MS }).map(
    ({ violations, ...rest }) => ({ ...rest, violations: violations.map(({ text }) => text) }),
  )
}

/** All recordings together: a line for each checker. */
export function checkedWords(rows: readonly { readonly checked: readonly Checked[] }[]): string {
  const totals = new Map<string, { judged: number; of: string; violations: number }>()
  for (const { name, judged, of, violations } of rows.flatMap(({ checked }) => checked)) {
    const total = totals.get(name) ?? { judged: 0, of, violations: 0 }
    totals.set(name, { of, judged: total.judged + judged, violations: total.violations + violations.length })
  }
  return [...totals]
    .map(([name, { judged, of, violations }]) => `${name}: ${judged} ${of}, ${violations} broken`)
    .join('; ')
}
