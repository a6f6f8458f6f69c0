import { VipswapError, type ErrorCode } from '../core/errors.ts'

/** Exit statuses of every verb (contract.md section 1). */
export const EXIT = {
  /** Done; for `plan`: nothing to do. */
  done: 0,
  /** Failed, refused or rolled back. */
  failed: 1,
  /** The command line was wrong; for `plan`: there is something to do. */
  usage: 2,
  /** `--timeout` passed; the operation goes on. */
  timedOut: 124,
  /** Ctrl-C; the operation goes on. */
  interrupted: 130,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

export function exitCodeOf(thrown: unknown): ExitCode {
  if (!(thrown instanceof VipswapError)) return EXIT.failed
  return BY_CODE[thrown.code] ?? EXIT.failed
}

const BY_CODE: Readonly<Partial<Record<ErrorCode, ExitCode>>> = {
  usage: EXIT.usage,
  timed_out: EXIT.timedOut,
  cancelled: EXIT.interrupted,
}
