import { setTimeout as delay } from 'node:timers/promises'
import type { CgroupTree } from './cgroup.ts'
import type { StrayScanner } from './strays.ts'

const POLL_MS = 100
/** What a main process has left behind gets this long after SIGTERM. */
const PATIENCE_MS = 2000

/** What one process group may have left outside itself: sessions of their own that its members made. */
export interface Leftovers {
  find(): Promise<readonly number[]>
  /** At once, all there is; beside SIGKILL for each that was found. */
  kill(): void
  /** Nothing of it is left. */
  over(): void
}

export const NO_LEFTOVERS: Leftovers = { find: async () => [], kill: () => {}, over: () => {} }

/** Of an instance in a folder, and of the keeper with a token. */
export function leftoversOf(
  { strays, cgroups }: { readonly strays: StrayScanner; readonly cgroups: CgroupTree | null },
  instanceFolder: string,
  token: string,
): Leftovers {
  const group = cgroups?.find(token) ?? null
  return {
    find: async () => [...new Set([...(await strays.find(instanceFolder)), ...(group?.members() ?? [])])],
    kill: () => group?.kill(),
    over: () => group?.remove(),
  }
}

/** Ends all that is left: SIGTERM once each, SIGKILL after 2 s. `onFound` is called once, if there is anything. */
export async function endLeftovers(leftovers: Leftovers, onFound: (pids: readonly number[]) => void): Promise<void> {
  const began = performance.now()
  const told = new Set<number>()
  for (;;) {
    const left = await leftovers.find()
    if (left.length === 0) break
    if (told.size === 0) onFound(left)
    const late = performance.now() - began > PATIENCE_MS
    if (late) leftovers.kill()
    for (const pid of left) {
      if (late) signal(pid, 'SIGKILL')
      else if (!told.has(pid)) signal(pid, 'SIGTERM')
      told.add(pid)
    }
    await delay(POLL_MS)
  }
  leftovers.over()
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // Gone meanwhile.
  }
}
