import { mkdirSync, readFileSync, readdirSync, rmdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { RunSpec } from '../src/contracts/assignment.ts'
import { VipswapError, errorMessage } from '../src/core/errors.ts'

/** Length of a period of the processor's time, microseconds; the kernel's own default. */
const PERIOD_US = 100_000

/** The cgroup (v2) of one process of one instance. */
export interface Cgroup {
  /** To be written before the command runs: what it starts is in it, too, whatever session it makes for itself. */
  admit(pid: number): void
  members(): number[]
  /** SIGKILL to all of it at once, where the kernel can (5.14). */
  kill(): void
  remove(): void
}

/** The folder of cgroup v2 that an agent was given, one group for each process group it starts. */
export class CgroupTree {
  readonly #root: string
  /** Of `memory`, `cpu`: which are enforced; `groups` in any case. */
  readonly gives: readonly string[]

  /** Throws `usage` for a folder that is no cgroup of version 2, or that is not ours to write. */
  constructor(root: string, node: string) {
    this.#root = join(root, `vipswap-${node}`)
    try {
      statSync(join(root, 'cgroup.controllers'))
      enable(root)
      mkdirSync(this.#root, { recursive: true })
      enable(this.#root)
      const enabled = words(join(this.#root, 'cgroup.subtree_control'))
      this.gives = ['groups', ...['memory', 'cpu'].filter(name => enabled.includes(name))]
    } catch (error) {
      throw new VipswapError(
        'usage',
        `--cgroup ${root} is no folder of cgroup v2 that may be written: ${errorMessage(error)}`,
      )
    }
  }

  /** A group for a process, by the token of its keeper, with the bounds that the tree can hold it to. */
  create(token: string, limits: RunSpec['limits']): Cgroup {
    const path = this.#path(token)
    mkdirSync(path, { recursive: true })
    if (limits?.memoryBytes !== undefined && this.gives.includes('memory'))
      writeFileSync(join(path, 'memory.max'), String(limits.memoryBytes))
    if (limits?.cores !== undefined && this.gives.includes('cpu'))
      writeFileSync(join(path, 'cpu.max'), `${Math.max(1000, Math.round(limits.cores * PERIOD_US))} ${PERIOD_US}`)
    return groupAt(path)
  }

  /** The group that an earlier agent made; it may be gone. */
  find(token: string): Cgroup {
    return groupAt(this.#path(token))
  }

  /** Removes what is empty; what is not has processes, and stays. */
  close(): void {
    for (const name of namesIn(this.#root)) removeEmpty(join(this.#root, name))
    removeEmpty(this.#root)
  }

  #path(token: string): string {
    return join(this.#root, token)
  }
}

function groupAt(path: string): Cgroup {
  return {
    admit: pid => writeFileSync(join(path, 'cgroup.procs'), String(pid)),
    members: () => {
      try {
        return words(join(path, 'cgroup.procs')).map(Number)
      } catch {
        return []
      }
    },
    kill: () => {
      try {
        writeFileSync(join(path, 'cgroup.kill'), '1')
      } catch {
        // Gone, or an older kernel: its members are killed one by one as well.
      }
    },
    remove: () => removeEmpty(path),
  }
}

/** A group with processes of its own may not pass controllers on (but for the root): then they are not given. */
function enable(path: string): void {
  for (const name of words(join(path, 'cgroup.controllers')).filter(one => one === 'memory' || one === 'cpu')) {
    try {
      writeFileSync(join(path, 'cgroup.subtree_control'), `+${name}`)
    } catch {
      // Said by `gives`.
    }
  }
}

function words(file: string): string[] {
  return readFileSync(file, 'utf8')
    .split(/\s+/)
    .filter(word => word !== '')
}

function namesIn(path: string): string[] {
  try {
    return readdirSync(path, { withFileTypes: true }).flatMap(entry => (entry.isDirectory() ? [entry.name] : []))
  } catch {
    return []
  }
}

function removeEmpty(path: string): void {
  try {
    rmdirSync(path)
  } catch {
    // Not empty, or gone.
  }
}
