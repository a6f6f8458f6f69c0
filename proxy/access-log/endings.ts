import type { Outcome } from '../ledger/account.ts'

/** Where in its life a request was when it ended. */
export type Phase = 'head' | 'waiting' | 'connecting' | 'sending' | 'answering' | 'tunnel'

/** The second letter. */
const LETTERS: Readonly<Record<Phase, string>> = {
  head: 'H',
  waiting: 'W',
  connecting: 'C',
  sending: 'S',
  answering: 'A',
  tunnel: 'T',
}

/**
 * How a request ended, in two letters as HAProxy has them (docs/metrics.md has the table): by whose doing, and in which
 * phase. `--` is an answer that went out whole. `status` is that of the answer; `endedBy`: a tunnel's side that ended first,
 * or the drain that ended both.
 */
export function endingOf(
  outcome: Outcome,
  phase: Phase,
  status: number,
  endedBy: 'client' | 'instance' | 'drain' | null = null,
): string {
  if (outcome === 'answered' && phase !== 'tunnel') return '--'
  return byWhom(outcome, status, endedBy) + LETTERS[phase]
}

function byWhom(outcome: Outcome, status: number, endedBy: 'client' | 'instance' | 'drain' | null): string {
  switch (outcome) {
    case 'answered':
      if (endedBy === null) return '-'
      return endedBy === 'client' ? 'C' : endedBy === 'instance' ? 'I' : 'D'
    case 'client-gone':
      return 'C'
    case 'connect-failed':
    case 'upstream-closed':
    case 'bad-response':
    case 'timeout':
      return 'I'
    case 'drain-deadline':
      return 'D'
    case 'refused':
      // It sent too slowly.
      return status === 408 ? 'C' : 'P'
    case 'hold-expired':
    case 'hold-full':
    case 'no-instance':
    case 'proxy-died':
    case 'internal':
      return 'P'
  }
}
