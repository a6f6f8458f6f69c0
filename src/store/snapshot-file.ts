import { createHash, type Hash } from 'node:crypto'
import { createReadStream, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { open, rename, type FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { ClassicLevel } from 'classic-level'
import { Type, type Static } from 'typebox'
import { Value } from 'typebox/value'
import { syncDirectory } from '../core/atomic-file.ts'
import { errorMessage, systemCode } from '../core/errors.ts'
import { Damage, newerSchema } from './envelope.ts'

/** Version of a snapshot file. One with a higher version is refused, never guessed at. */
const SCHEMA = 1
const NAME = /^(\d{16})\.(snapshot|commits)$/
const ENTRIES_AT_ONCE = 200

/** Says of which moment a snapshot is. */
export interface SnapshotHeader {
  readonly fabricId: string
  /** Of the newest commit in it. */
  readonly sequence: number
  /** Wall clock, milliseconds. */
  readonly takenAt: number
}

/** A key of the database and what is stored there, as it lies in the database. */
export type Entry = readonly [key: string, value: string]

/** `snapshot`: the whole database after commit `sequence`; `commits`: the commits that came after it, in order. */
export interface BackupFile {
  readonly path: string
  readonly kind: 'snapshot' | 'commits'
  readonly sequence: number
}

/** The files of a snapshot folder, oldest first; none where there is no such folder. */
export function listBackups(directory: string): BackupFile[] {
  let names: string[]
  try {
    names = readdirSync(directory)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return []
    throw error
  }
  return names.toSorted().flatMap(name => {
    const [, digits, kind] = NAME.exec(name) ?? []
    if (digits === undefined || (kind !== 'snapshot' && kind !== 'commits')) return []
    return [{ path: join(directory, name), kind, sequence: Number(digits) }]
  })
}

export function backupPath(directory: string, kind: BackupFile['kind'], sequence: number): string {
  return join(directory, `${String(sequence).padStart(16, '0')}.${kind}`)
}

/**
 * Writes a snapshot of `db` as it is when this is called: commits may go on meanwhile. Whole or not there, and durable
 * (file and name) once resolved. Resolves with its size in bytes.
 */
export async function writeSnapshot(path: string, header: SnapshotHeader, db: ClassicLevel): Promise<number> {
  const moment = db.snapshot()
  const temporary = `${path}.tmp`
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  try {
    const file = await open(temporary, 'w', 0o600)
    let bytes: number
    try {
      bytes = await writeEntries(file, header, db.iterator({ snapshot: moment }))
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
    syncDirectory(dirname(path))
    return bytes
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  } finally {
    await moment.close()
  }
}

async function writeEntries(
  file: FileHandle,
  { fabricId, sequence, takenAt }: SnapshotHeader,
  entries: { nextv(size: number): Promise<[string, string][]>; close(): Promise<void> },
): Promise<number> {
  const hash = createHash('sha256')
  let bytes = 0
  let count = 0
  const write = async (text: string): Promise<void> => {
    hash.update(text)
    bytes += Buffer.byteLength(text)
    await file.appendFile(text)
  }
  try {
    await write(`${JSON.stringify({ schema: SCHEMA, fabricId, sequence, takenAt })}\n`)
    for (;;) {
      const some = await entries.nextv(ENTRIES_AT_ONCE)
      if (some.length === 0) break
      count += some.length
      await write(some.map(entry => `${JSON.stringify(entry)}\n`).join(''))
    }
    await file.appendFile(trailer(count, hash))
    return bytes
  } finally {
    await entries.close()
  }
}

/**
 * Reads a snapshot and hands its entries to `take`, some at a time; they count only once this has resolved. Throws `Damage`
 * unless the file is, byte for byte, what `writeSnapshot` made.
 */
export async function readSnapshot(
  path: string,
  take: (entries: readonly Entry[]) => Promise<void>,
): Promise<SnapshotHeader> {
  const hash = createHash('sha256')
  let header: (SnapshotHeader & { readonly schema: number }) | null = null
  let last: string | null = null
  let some: Entry[] = []
  let count = 0
  // The last line is the trailer, in every version, so each is taken only once another has come.
  for await (const line of linesOf(path)) {
    if (last !== null) {
      hash.update(last)
      if (header === null) header = parseHeader(last)
      else {
        if (header.schema <= SCHEMA) some.push(parseEntry(last))
        count += 1
      }
    }
    last = line
    if (some.length < ENTRIES_AT_ONCE) continue
    await take(some)
    some = []
  }
  if (header === null) throw new Damage('the snapshot is empty or cut off')
  if (last !== trailer(count, hash)) throw new Damage('the snapshot does not match its checksum')
  // Only now is it certain that the number is as it was written.
  if (header.schema > SCHEMA) throw newerSchema('the snapshot', header.schema, SCHEMA)
  await take(some)
  return header
}

/** With their ends, so that no octet of the file is in none. Not node:readline: that also ends lines at U+2028. */
async function* linesOf(path: string): AsyncIterable<string> {
  let rest = ''
  for await (const chunk of createReadStream(path, 'utf8')) {
    const lines = (rest + String(chunk)).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) yield `${line}\n`
  }
  if (rest !== '') yield rest
}

function trailer(entries: number, hash: Hash): string {
  return `${JSON.stringify({ entries, sha256: hash.digest('hex') })}\n`
}

const Header = Type.Object({
  schema: Type.Number(),
  fabricId: Type.String(),
  sequence: Type.Number(),
  takenAt: Type.Number(),
})

function parseHeader(line: string): Static<typeof Header> {
  const fields = parseLine(line)
  if (Value.Check(Header, fields)) return fields
  throw new Damage('the snapshot does not begin as one')
}

function parseEntry(line: string): Entry {
  const entry = parseLine(line)
  if (Array.isArray(entry) && entry.length === 2) {
    const [key, value]: unknown[] = entry
    if (typeof key === 'string' && typeof value === 'string') return [key, value]
  }
  throw new Damage('the snapshot holds a line that is no entry')
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch (error) {
    throw new Damage(`the snapshot is not readable (${errorMessage(error)})`)
  }
}
