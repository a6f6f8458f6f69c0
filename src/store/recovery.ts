import { existsSync, readFileSync, rmSync } from 'node:fs'
import { Type, type Static } from 'typebox'
import { Value } from 'typebox/value'
import { writeFileAtomic } from '../core/atomic-file.ts'

/** How a damaged store was put back, and what that cost. Kept beside the store until whoever opened it has taken note. */
export const Recovery = Type.Object({
  /** Wall clock, milliseconds. */
  at: Type.Number(),
  /** What was wrong with the store. */
  found: Type.String(),
  /** Where what was damaged lies now: nothing of it was removed. */
  aside: Type.String(),
  /** The snapshot it was put back from: of which commit, and when it was taken. */
  snapshot: Type.Object({ sequence: Type.Number(), takenAt: Type.Number() }),
  /** The newest commit that is there. */
  sequence: Type.Number(),
  /** Acknowledged and no longer there: the commits from `from` to `to`; `to` null: nothing tells how many. */
  lost: Type.Union([Type.Null(), Type.Object({ from: Type.Number(), to: Type.Union([Type.Null(), Type.Number()]) })]),
})
export type Recovery = Static<typeof Recovery>

/** The note of a recovery, durable: one that is cut off is done again, and what is known of the loss is known then too. */
export function recoveryFile(directory: string) {
  const path = `${directory}.recovered`
  return {
    read(): Recovery | null {
      if (!existsSync(path)) return null
      try {
        const value: unknown = JSON.parse(readFileSync(path, 'utf8'))
        return Value.Check(Recovery, value) ? value : null
      } catch {
        return null
      }
    },
    write: (recovery: Recovery): void => writeFileAtomic(path, `${JSON.stringify(recovery)}\n`),
    remove: (): void => rmSync(path, { force: true }),
  }
}
