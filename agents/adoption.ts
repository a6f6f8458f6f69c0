import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { readExit } from './keeper.ts'
import { KeptProcess } from './kept-process.ts'
import type { Leftovers } from './leftovers.ts'
import { findKeepers, groupMembers, signalGroup } from './process-table.ts'
import { InstanceFolders } from './folders.ts'
import { readRecord, type RunRecord } from './run-record.ts'

export type Adopted =
  /** Its process, which may be ending just now or have ended while no agent looked. */
  | { readonly kind: 'process'; readonly process: KeptProcess }
  /** It ran and is gone, for a reason no exit file tells. */
  | { readonly kind: 'lost'; readonly text: string }
  /** Nothing ran. */
  | { readonly kind: 'none' }

/** Takes over what a record of an earlier agent names: by pid, start time and boot id together, since pids come again. */
export async function adopt(
  record: RunRecord,
  folders: InstanceFolders,
  bootId: string,
  leftovers: Leftovers,
): Promise<Adopted> {
  const { pid, startTime, phase, token } = record
  if (phase === 'ended') return { kind: 'none' }
  if (record.bootId !== bootId)
    return phase === 'run' ? { kind: 'lost', text: 'the machine restarted' } : { kind: 'none' }
  // Without a pid on record the keeper was never told to go, and left by itself when its agent died.
  if (pid === null || startTime === null) return { kind: 'none' }
  const exitFile = folders.exitFile(token)
  const kept = KeptProcess.adopt({ pid, startTime, exitFile }, leftovers)
  if (phase === 'run') return { kind: 'process', process: kept }
  // Startup commands are run again from the first; two of them at once would not do.
  await kept.stop(record.assigned.spec.stopTimeoutMs)
  return { kind: 'lost', text: `a startup command was cut short (${readExit(exitFile)?.text ?? 'no status'})` }
}

export interface FoundInstance {
  readonly key: string
  readonly folders: InstanceFolders
  readonly record: RunRecord | null
}

/** Every instance that has folders on this node. */
export function findInstances(directory: string): FoundInstance[] {
  return subfolders(directory).flatMap(deployment =>
    subfolders(join(directory, deployment)).map(instance => {
      const folders = new InstanceFolders(join(directory, deployment, instance))
      return { key: `${deployment}/${instance}`, folders, record: readRecord(folders.record) }
    }),
  )
}

/** Ends keepers of this node that no record names, which only a damaged or lost record leaves. Answers their pids. */
export async function endStrays(directory: string, known: readonly FoundInstance[]): Promise<number[]> {
  const tokens = new Set(known.flatMap(({ record }) => (record === null ? [] : [record.token])))
  const strays = findKeepers(directory).filter(({ token }) => !tokens.has(token))
  for (const { pid } of strays) {
    signalGroup(pid, 'SIGKILL')
    while (groupMembers(pid).length > 0) await delay(10)
  }
  return strays.map(({ pid }) => pid)
}

function subfolders(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter(entry => entry.isDirectory())
      .map(entry => entry.name)
  } catch {
    return []
  }
}
