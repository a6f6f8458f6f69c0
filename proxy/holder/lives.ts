import { readFileSync } from 'node:fs'
import { writeFileAtomic } from '../../src/core/atomic-file.ts'
import { identify, isAlive, type ProcessIdentity } from './process-identity.ts'

interface Life {
  readonly incarnation: string
  readonly bootId: string
  readonly processes: readonly ProcessIdentity[]
}

export interface Predecessor {
  readonly incarnation: string
  readonly exited: boolean
}

const KEPT = 20

/** The state file of a proxy: which processes this life and earlier ones consist of, so that it is known when those are gone. */
export class Lives {
  readonly #path: string
  readonly #incarnation: string
  readonly #bootId: string
  readonly #earlier: { life: Life; exited: boolean }[]

  constructor(path: string, incarnation: string, bootId: string) {
    this.#path = path
    this.#incarnation = incarnation
    this.#bootId = bootId
    this.#earlier = readLives(path)
      .slice(-KEPT)
      .map(life => ({ life, exited: !this.#runs(life) }))
  }

  /** Writes down the processes of this life. Called before a new worker serves anything. */
  record(workerPids: readonly number[]): void {
    const own: Life = {
      incarnation: this.#incarnation,
      bootId: this.#bootId,
      processes: [process.pid, ...workerPids].map(identify),
    }
    const running = this.#earlier.filter(earlier => !earlier.exited).map(earlier => earlier.life)
    writeFileAtomic(this.#path, JSON.stringify([...running, own]), { durable: false })
  }

  predecessors(): Predecessor[] {
    return this.#earlier.map(({ life, exited }) => ({ incarnation: life.incarnation, exited }))
  }

  /** Those that have ended since they were last asked about. */
  newlyGone(): string[] {
    const gone: string[] = []
    for (const earlier of this.#earlier) {
      if (earlier.exited || this.#runs(earlier.life)) continue
      earlier.exited = true
      gone.push(earlier.life.incarnation)
    }
    return gone
  }

  get allGone(): boolean {
    return this.#earlier.every(earlier => earlier.exited)
  }

  #runs(life: Life): boolean {
    return life.bootId === this.#bootId && life.processes.some(isAlive)
  }
}

function readLives(path: string): Life[] {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'))
    // Written by this class alone.
    return Array.isArray(value) ? (value as Life[]) : []
  } catch {
    return []
  }
}
