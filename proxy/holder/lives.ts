import { readFileSync } from 'node:fs'
import { writeFileAtomic } from '../../src/core/atomic-file.ts'
import { identify, isAlive, type ProcessIdentity } from '../../src/core/process-identity.ts'
import type { RetriedWrites } from './retried-writes.ts'

interface Life {
  readonly incarnation: string
  readonly processes: readonly ProcessIdentity[]
}

export interface Predecessor {
  readonly incarnation: string
  readonly exited: boolean
}

interface Earlier {
  readonly life: Life
  exited: boolean
  /** The hello last said called it exited. */
  said: boolean
  /** The controller has heard that it is exited: no later life need say so again. */
  heard: boolean
}

/** The state file of a proxy: which processes this life and earlier ones consist of, so that it is known when those are gone. */
export class Lives {
  readonly #path: string
  readonly #incarnation: string
  readonly #writes: RetriedWrites
  #earlier: Earlier[]
  #processes: readonly ProcessIdentity[] = []
  #writing = true

  constructor(path: string, incarnation: string, writes: RetriedWrites) {
    this.#path = path
    this.#writes = writes
    this.#incarnation = incarnation
    this.#earlier = readLives(path).map(life => earlierFrom(life, !life.processes.some(isAlive)))
  }

  /** Writes down the processes of this life. Called before a new worker serves anything. */
  record(workerPids: readonly number[]): void {
    this.#processes = [process.pid, ...workerPids].flatMap(pid => identify(pid) ?? [])
    this.#write()
  }

  /** What a hello says of earlier lives. */
  predecessors(): Predecessor[] {
    return this.#earlier.map(earlier => {
      earlier.said = earlier.exited
      return { incarnation: earlier.life.incarnation, exited: earlier.exited }
    })
  }

  /** The controller has answered the last hello: what that called exited may be forgotten by later lives. */
  heard(): void {
    const news = this.#earlier.filter(earlier => earlier.said && !earlier.heard)
    if (news.length === 0) return
    for (const earlier of news) earlier.heard = true
    this.#write()
  }

  /** Those that have ended since they were last asked about. */
  newlyGone(): string[] {
    const gone: string[] = []
    for (const earlier of this.#earlier) {
      if (earlier.exited || earlier.life.processes.some(isAlive)) continue
      earlier.exited = true
      gone.push(earlier.life.incarnation)
    }
    return gone
  }

  get allGone(): boolean {
    return this.#earlier.every(earlier => earlier.exited)
  }

  /** A successor has the file from now on, until `resume`. */
  pause(): void {
    this.#writing = false
  }

  /** What it has written of its own life stays: it may have served, and the controller may have heard of it. */
  resume(): void {
    const known = new Set([this.#incarnation, ...this.#earlier.map(({ life }) => life.incarnation)])
    const others = readLives(this.#path).filter(({ incarnation }) => !known.has(incarnation))
    this.#earlier = [...this.#earlier, ...others.map(life => earlierFrom(life, false))]
    this.#writing = true
    this.#write()
  }

  #write(): void {
    if (!this.#writing) return
    const kept = this.#earlier.filter(earlier => !earlier.heard).map(({ life }) => life)
    const own: Life = { incarnation: this.#incarnation, processes: this.#processes }
    const text = JSON.stringify([...kept, own])
    this.#writes.attempt('state.json', () => writeFileAtomic(this.#path, text, { durable: false }))
  }
}

function earlierFrom(life: Life, exited: boolean): Earlier {
  return { life, exited, said: false, heard: false }
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
