import { readFileSync } from 'node:fs'
import { ClassicLevel } from 'classic-level'

// Loaded into a controller before its own code (`--import …/kill-at-commit.js?plan=FILE`): kills it, as `kill -9` does, at the
// commit that the plan names, counted from when the plan is there. `before`: the commit is not made; `after`: it is durable
// and nobody has heard of it.

export interface KillPlan {
  /** Another one begins to count anew. */
  readonly id: string
  readonly commit: number
  readonly when: 'before' | 'after'
}

const file = new URL(import.meta.url).searchParams.get('plan') ?? ''
const { batch } = ClassicLevel.prototype as unknown as { batch: (this: unknown, ...args: unknown[]) => Promise<void> } // called with its own this below
let counted = 0
let counting: string | undefined

function plan(): KillPlan | null {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as KillPlan // written whole by the rig
  } catch {
    return null
  }
}

async function die(): Promise<never> {
  process.kill(process.pid, 'SIGKILL')
  return new Promise(() => undefined)
}

Object.assign(ClassicLevel.prototype, {
  async batch(this: unknown, ...args: unknown[]): Promise<void> {
    const now = plan()
    if (now?.id !== counting) counted = 0
    counting = now?.id
    counted += 1
    const isDue = now !== null && counted === now.commit
    if (isDue && now.when === 'before') await die()
    await batch.apply(this, args)
    if (isDue) await die()
  },
})
