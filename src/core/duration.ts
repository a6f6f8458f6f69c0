import { VipswapError } from './errors.ts'

const UNITS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** What a duration in a file or flag looks like: `500ms`, `30s`, `5m`, `1h30m`, `0s`. */
export const DURATION_PATTERN = '^(\\d+(ms|s|m|h|d))+$'

/** The longest a person may ask for, 24 days: a timer of Node that is longer than 2^31-1 ms goes off at once. */
const LONGEST_MS = 24 * 86_400_000

/** What a longer one is told. */
export const LONGEST_DURATION_TEXT = 'a duration of at most 24d'

/** Milliseconds of `30s`, `1h30m`, `500ms`. Throws `invalid_request` for anything else, and for more than 24 days. */
export function parseDuration(text: string): number {
  if (!new RegExp(DURATION_PATTERN).test(text)) {
    throw new VipswapError('invalid_request', `"${text}" is not a duration; write for example 500ms, 30s, 5m or 1h30m`)
  }
  if (isTooLong(text)) {
    throw new VipswapError('invalid_request', `"${text}" is too long; write ${LONGEST_DURATION_TEXT}`)
  }
  return millisecondsOf(text)
}

/** Of a text that looks like a duration: does it ask for more than the longest? */
export function isTooLong(text: string): boolean {
  return millisecondsOf(text) > LONGEST_MS
}

function millisecondsOf(text: string): number {
  let total = 0
  for (const [, amount, unit] of text.matchAll(/(\d+)(ms|s|m|h|d)/g)) total += Number(amount) * (UNITS[unit ?? ''] ?? 0)
  return total
}

/** The shortest exact text of a number of milliseconds: 90000 → `1m30s`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)}ms`
  let rest = Math.round(ms)
  let text = ''
  for (const [unit, size] of [
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
    ['ms', 1],
  ] as const) {
    const amount = Math.floor(rest / size)
    if (amount > 0) text += `${amount}${unit}`
    rest -= amount * size
  }
  return text
}
