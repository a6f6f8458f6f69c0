import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { ClassicLevel } from 'classic-level'
import { syncDirectory } from '../core/atomic-file.ts'
import { VipswapError, errorMessage, systemCode } from '../core/errors.ts'
import { readCommitLog } from './commit-log.ts'
import { closeDatabase, openDatabase } from './database.ts'
import { Damage, decodeHead } from './envelope.ts'
import { damaged, readFailure } from './failures.ts'
import { headFile } from './head-file.ts'
import { recoveryFile, type Recovery } from './recovery.ts'
import { listBackups, readSnapshot, type BackupFile, type SnapshotHeader } from './snapshot-file.ts'
import { verifyDatabase } from './verify.ts'

export interface Damaged {
  /** The store's folder, by its real name; it may be missing. */
  readonly directory: string
  /** Where the snapshots lie. */
  readonly backups: string
  /** What `openLevelStore` said. */
  readonly error: VipswapError
}

/**
 * Puts a damaged store back: the newest good snapshot, and all commits kept since that follow on it, are made into a new
 * store, verified, and take the place of the damaged one, which is set aside. Nothing is touched, and `error` is thrown,
 * where there is no good snapshot. Cut off anywhere, it can be done again.
 */
export async function recover({ directory, backups, error }: Damaged): Promise<Recovery> {
  const fresh = `${directory}.restoring`
  const restored = await restoreNewest(fresh, backups, error)
  const note = recoveryFile(directory)
  const known = knownSequence(directory, restored.seen)
  const earlier = note.read()
  const { snapshot, sequence } = restored
  const lost = lossAfter(sequence, known, earlier)
  const aside = `${directory}.damaged-${new Date().toISOString().replaceAll(/[:.]/g, '-')}`
  const { found } = error.details
  const recovery = {
    at: Date.now(),
    found: earlier?.found ?? (typeof found === 'string' ? found : error.message),
    aside,
    snapshot,
    sequence,
    lost,
  }
  note.write(recovery)
  mkdirSync(aside, { mode: 0o700 })
  const set = (path: string): void => {
    if (existsSync(path)) renameSync(path, join(aside, basename(path)))
  }
  set(`${directory}.head`)
  set(directory)
  renameSync(fresh, directory)
  syncDirectory(dirname(directory))
  await headFile(`${directory}.head`).write(restored.headText)
  // Files that reach beyond what is there now are part of what was lost, and would be taken for the newest.
  const beyond = listBackups(backups).some(file => file.sequence > sequence) || restored.seen > sequence
  if (beyond) set(backups)
  syncDirectory(aside)
  syncDirectory(dirname(directory))
  return recovery
}

interface Restored {
  readonly snapshot: SnapshotHeader
  readonly sequence: number
  readonly headText: string
  /** How far the files in the snapshot folder reach, whole or not. */
  readonly seen: number
}

async function restoreNewest(fresh: string, backups: string, error: VipswapError): Promise<Restored> {
  const files = listBackups(backups)
  const faults: string[] = []
  for (const file of files.filter(({ kind }) => kind === 'snapshot').toReversed()) {
    try {
      return await restore(fresh, file, files)
    } catch (thrown) {
      rmSync(fresh, { recursive: true, force: true })
      // Of a later version, or not ours to read: something older must not take its place.
      if (!(thrown instanceof Damage) && systemCode(thrown) !== 'EIO') throw unusable(error, file, errorMessage(thrown))
      if (thrown instanceof Damage && thrown.advice !== undefined)
        throw unusable(error, file, `${thrown.message}. ${thrown.advice}`)
      faults.push(`${basename(file.path)}: ${errorMessage(thrown)}`)
    }
  }
  if (faults.length === 0) throw error
  throw new VipswapError('store_damaged', `${error.message} No snapshot is good: ${faults.join('; ')}.`, {
    ...error.details,
    snapshots: faults,
  })
}

function unusable(error: VipswapError, { path }: BackupFile, why: string): VipswapError {
  return new VipswapError('store_damaged', `${error.message} The snapshot ${path} was not used: ${why}`, {
    ...error.details,
    snapshot: path,
  })
}

async function restore(fresh: string, file: BackupFile, files: readonly BackupFile[]): Promise<Restored> {
  rmSync(fresh, { recursive: true, force: true })
  const db = await openDatabase(fresh, true)
  try {
    const snapshot = await readSnapshot(file.path, async entries => {
      await db.batch(entries.map(([key, value]) => ({ type: 'put', key, value })))
    })
    const seen = await replay(db, snapshot.sequence, files)
    const { head, headText } = await verifyDatabase(db)
    if (head.fabricId !== snapshot.fabricId) throw new Damage('the snapshot is of another fabric than it says')
    // The writes before were not flushed: this one is, and all before it with it.
    await db.batch([{ type: 'put', key: 'head', value: headText }], { sync: true })
    return { snapshot, sequence: head.sequence, headText, seen }
  } catch (error) {
    throw error instanceof Damage ? error : readFailure(fresh, error)
  } finally {
    await closeDatabase(fresh, db)
  }
}

/** Does again what commits did after the snapshot, as far as they follow one another. Answers how far the files reach. */
async function replay(db: ClassicLevel, from: number, files: readonly BackupFile[]): Promise<number> {
  let sequence = from
  let seen = from
  for (const { path, kind, sequence: base } of files) {
    seen = Math.max(seen, base)
    if (kind !== 'commits') continue
    const log = readCommitLog(path)
    seen = Math.max(seen, log.seen)
    for (const commit of log.commits) {
      if (commit.sequence !== sequence + 1) continue
      await db.batch([...commit.operations])
      sequence = commit.sequence
    }
  }
  return seen
}

/** The newest commit that anything beside the database knows of; null where the head file is not there to say. */
function knownSequence(directory: string, seen: number): number | null {
  const head = headFile(`${directory}.head`).read()
  if (head.state !== 'written') return null
  try {
    return Math.max(decodeHead('the head file', head.text).sequence, seen)
  } catch {
    return null
  }
}

function lossAfter(sequence: number, known: number | null, earlier: Recovery | null): Recovery['lost'] {
  // Done again after it was cut off: the head file that told is set aside already.
  if (earlier !== null && earlier.sequence === sequence) return earlier.lost
  if (known === null) return { from: sequence + 1, to: null }
  return known > sequence ? { from: sequence + 1, to: known } : null
}

/** For where the store was put back to an earlier time together with its head file: the snapshots know better. */
export function behindSnapshots(directory: string, sequence: number, reached: number): VipswapError {
  const found = `it ends at commit ${sequence}, and its snapshots reach commit ${reached}`
  return damaged(directory, found, { recoverable: true })
}
