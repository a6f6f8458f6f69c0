import type { EjectionPolicy } from '../../src/contracts/routing.ts'
import type { PoolState } from '../routing/pool-state.ts'
import type { TargetState } from '../routing/target.ts'

// Probes decide which instances are ready. Beyond that, what requests meet decides which of the ready ones are passed over
// for a while, as long as there are others:
//
//   good ── refuses a connection ──▶ suspect (1 s) ── takes one ──▶ good
//   good ── `failures` in a row ──▶ ejected (baseMs, doubled up to 10 times that) ── time is over ──▶ on trial: one request
//   on trial ── begins to answer ──▶ good again, with a growing share; one more failure before a whole answer ejects it
//   on trial ── fails ──▶ ejected for twice as long

/** An instance that refused a connection is passed over for this long, if there is another. */
const SUSPECT_MS = 1000
const MOST_DOUBLED = 10

/** Errors of a dial that tell of this machine's own limits, not of the instance. */
const OWN_LIMITS: ReadonlySet<unknown> = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EADDRNOTAVAIL', 'EAGAIN'])

export function isOwnLimit(error: Error): boolean {
  return 'code' in error && OWN_LIMITS.has(error.code)
}

/** It took no connection. `onTrial`: for a request that was given it although it was passed over. */
export function noteNoConnection(target: TargetState, now: number, onTrial: boolean): void {
  noteFailure(target, now, onTrial)
  target.refusedUntil = now + SUSPECT_MS
  if (!target.ejected) target.avoidUntil = target.refusedUntil
}

/** It took the request and did not answer it whole, well-formed and in time. */
export function noteFailure(target: TargetState, now: number, onTrial: boolean): void {
  // One on its way out may do as it likes.
  if (target.state !== 'in') return
  target.failures++
  const { ejection } = target.pool.policy
  if (ejection === null) return
  if (!target.ejected) {
    if (target.failures >= ejection.failures) ejectFirst(target, ejection, now)
  } else if (onTrial && now >= target.avoidUntil) {
    eject(target, Math.min(target.ejectedMs * 2, ejection.baseMs * MOST_DOUBLED), now)
  }
}

/** A connection to it was made. What it does with requests is not known by that. */
export function noteConnection(target: TargetState): void {
  target.refusedUntil = 0
  if (!target.ejected) target.avoidUntil = 0
}

/** It has begun to answer a request that was given it although it is passed over. */
export function noteTrialAnswered(target: TargetState, now: number): void {
  target.avoidUntil = 0
  if (!target.ejected) return
  const { pool } = target
  target.ejected = false
  target.readmittedAt = now
  // Whole answers make it good again; until the first, one failure is enough.
  if (pool.policy.ejection !== null) target.failures = pool.policy.ejection.failures - 1
  if (pool.ready.length > 1) target.ramp(now, pool.policy.slowStartMs)
  pool.counts.readmissions++
}

function ejectFirst(target: TargetState, { baseMs, maxShare }: EjectionPolicy, now: number): void {
  if (!mayEject(target.pool, maxShare)) {
    target.pool.counts.ejectionsDenied++
    return
  }
  // It has not served well for as long as it was out: that was no recovery.
  const isAgain = target.ejectedMs > 0 && now - target.readmittedAt < target.ejectedMs
  eject(target, isAgain ? Math.min(target.ejectedMs * 2, baseMs * MOST_DOUBLED) : baseMs, now)
}

function eject(target: TargetState, forMs: number, now: number): void {
  target.ejected = true
  target.ejectedMs = forMs
  target.avoidUntil = now + forMs
  target.pool.counts.ejections++
}

/** One more of the ready ones may be passed over. */
function mayEject({ ready }: PoolState, maxShare: number): boolean {
  let ejected = 0
  for (const target of ready) if (target.ejected) ejected++
  // A little more, for shares like 0.1 of 30.
  return ejected + 1 <= maxShare * ready.length + 1e-9
}
