import { mkdirSync } from 'node:fs'
import { attack } from './attack.ts'
import { startSubject, TOKENS } from './subject.ts'

/** Whose token the requests carry. */
export type Assailant = 'nobody' | keyof typeof TOKENS

export interface Siege {
  readonly statuses: ReadonlyMap<string, number>
  /** Requests that were good after all, and changed something. */
  readonly changes: number
  /** Answers after which the whole state was compared; the others came while a clock was waited for. */
  readonly judged: number
  readonly faults: readonly string[]
}

/** The service is made whole again after so many. */
const REPLENISH = 50
/** Nobody who may only look changes anything, whatever is answered. */
const LOOKS_ONLY: ReadonlySet<Assailant> = new Set(['nobody', 'viewer'])

/**
 * Hostile requests one after another against a whole controller in this process: a crash of it is one of the caller.
 * What is answered with anything but a 2xx has changed nothing; in the end a new controller reads what there is.
 */
export async function besiege({
  folder,
  by,
  seed,
  count,
}: {
  folder: string
  by: Assailant
  seed: number
  count: number
}): Promise<Siege> {
  mkdirSync(folder, { recursive: true })
  const subject = await startSubject(folder)
  const prototype = Object.getOwnPropertyNames(Object.prototype).join()
  let [left, changes, judged] = [REPLENISH, 0, 0]
  let before: string | null = subject.state()
  const judge = async (status: string): Promise<string | null> => {
    const good = status.startsWith('2')
    if (good) await subject.settle()
    left -= 1
    const after = subject.state()
    const changed = before !== null && after !== before
    if (before !== null) judged += 1
    if (changed) changes += 1
    const fault = changed && (!good || LOOKS_ONLY.has(by)) ? differenceOf(before ?? '', after) : null
    if (left === 0) {
      await subject.replenish()
      left = REPLENISH
    }
    // What waits for a clock changes by itself.
    before = subject.isQuiet() ? subject.state() : null
    return fault
  }
  try {
    const token = by === 'nobody' ? null : TOKENS[by]
    const { port, digest } = subject
    const { statuses, faults } = await attack({ port, seed, count, token, digest, atOnce: 1, judge })
    await subject.settle()
    const durable = subject.durable()
    await subject.close()
    const next = await startSubject(folder)
    const kept = next.durable() === durable
    await next.close()
    return {
      statuses,
      changes,
      judged,
      faults: [
        ...faults,
        ...(kept ? [] : ['a new controller does not read what there was']),
        ...(Object.getOwnPropertyNames(Object.prototype).join() === prototype ? [] : ['the prototype is polluted']),
      ],
    }
  } catch (error) {
    await subject.close()
    throw error
  }
}

/** The first place where two states differ. */
function differenceOf(before: string, after: string): string {
  let at = 0
  while (at < before.length && before[at] === after[at]) at += 1
  const from = Math.max(0, at - 60)
  return `changed …${before.slice(from, at + 100)}… to …${after.slice(from, at + 100)}…`
}
