/** What vipswap is to reach in one measure, as a ratio to another peer or by itself. */
export interface Target {
  readonly what: string
  /** The peer it is compared with; null for a number by itself. */
  readonly to: string | null
  readonly atMost: number
  /** Of a number by itself. */
  readonly unit?: string
}

export interface Verdict {
  readonly target: Target
  /** NaN where it could not be measured. */
  readonly value: number
  readonly met: boolean | null
}

export function judge(target: Target, value: number): Verdict {
  return { target, value, met: Number.isNaN(value) ? null : value <= target.atMost }
}

/** `CPU per request: target ≤ 1.15 × nginx: 1.07 met`. */
export function verdictText({ target, value, met }: Verdict): string {
  const bound = target.to === null ? `${target.atMost} ${target.unit ?? ''}`.trim() : `${target.atMost} × ${target.to}`
  const measured = met === null ? 'not measured' : `${value.toFixed(2)} ${met ? 'met' : 'MISSED'}`
  return `${target.what}: target ≤ ${bound}: ${measured}`
}

/** With a quiet load's latencies beyond this, milliseconds, the machine was busy elsewhere, and nothing can be said. */
export const DISTURBED_MS = 50
