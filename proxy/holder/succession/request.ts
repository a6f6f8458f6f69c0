import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { writeFileAtomic } from '../../../src/core/atomic-file.ts'
import { createId } from '../../../src/core/ids.ts'

/** What a running proxy is to be replaced by: asked for in a file beside its table, and by SIGUSR2. */
export interface ReplaceRequest {
  readonly id: string
  /** The Node and the script to run. */
  readonly execPath: string
  readonly script: string
  /** Null: as many as now. */
  readonly workers: number | null
  /** For what is left to the predecessor: tunnels, TLS connections, long answers. */
  readonly drainMs: number
}

export interface ReplaceAnswer {
  /** Of the request. */
  readonly id: string
  /** The successor; null where it failed. */
  readonly pid: number | null
  readonly error: string | null
}

export function writeRequest(folder: string, request: Omit<ReplaceRequest, 'id'>): string {
  const id = createId('replace')
  write(folder, 'replace.json', { id, ...request } satisfies ReplaceRequest)
  return id
}

/** Reads and removes it; null where there is none. */
export function takeRequest(folder: string): ReplaceRequest | null {
  const request = read<ReplaceRequest>(folder, 'replace.json')
  rmSync(join(folder, 'replace.json'), { force: true })
  return request
}

export function writeAnswer(folder: string, answer: ReplaceAnswer): void {
  write(folder, 'replaced.json', answer)
}

/** The answer to the request of this id; null while there is none. */
export function readAnswer(folder: string, id: string): ReplaceAnswer | null {
  const answer = read<ReplaceAnswer>(folder, 'replaced.json')
  return answer?.id === id ? answer : null
}

function write(folder: string, name: string, value: unknown): void {
  writeFileAtomic(join(folder, name), JSON.stringify(value), { durable: false, mode: 0o600 })
}

function read<T>(folder: string, name: string): T | null {
  try {
    // Written whole by this file alone, into a folder of our own.
    return JSON.parse(readFileSync(join(folder, name), 'utf8')) as T
  } catch {
    return null
  }
}
