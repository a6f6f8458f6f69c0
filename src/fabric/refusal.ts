import type { ErrorCode } from '../core/errors.ts'

/** Why a command was not accepted: the first thing in the way, and all of them. */
export interface Refusal {
  readonly code: ErrorCode
  readonly message: string
  readonly blockers: readonly Blocker[]
}

export interface Blocker {
  readonly code: ErrorCode
  readonly message: string
}

/** Thrown inside the rules, caught by `apply`: a command that changes nothing. */
export class Refused extends Error {
  readonly refusal: Refusal

  constructor(blockers: readonly [Blocker, ...Blocker[]]) {
    super(blockers[0].message)
    this.refusal = { ...blockers[0], blockers }
  }
}

export function refuse(code: ErrorCode, message: string): never {
  throw new Refused([{ code, message }])
}

/** Refuses with all blockers if there are any. */
export function refuseIfAny(blockers: readonly Blocker[]): void {
  const [first, ...rest] = blockers
  if (first !== undefined) throw new Refused([first, ...rest])
}
