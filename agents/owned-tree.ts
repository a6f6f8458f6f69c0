import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { lchown, open, readdir, rename, rm, rmdir, unlink, type FileHandle } from 'node:fs/promises'
import { VipswapError, systemCode } from '../src/core/errors.ts'
import type { Account } from './account.ts'

// Trees in which the user of a role may change anything at any moment, by another process of that user's. Each folder is
// opened without following a link, and what lies in it is named through the open folder, so that a name that becomes a link
// meanwhile leads nowhere. That is openat(2), which Node has not; Linux has /proc/self/fd.

const FOLDER = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW
/** Folders held open at a time; what lies deeper is moved up first, since a role can nest without end. */
const MAX_DEPTH = 32
const MAX_PASSES = 10_000
/** Of what is given: nothing of it may be moved. */
const MAX_GIVEN_DEPTH = 256
const AT_ONCE = 16
/** Of what becomes something else, or is filled again, while it is removed. */
const MAX_TRIES = 5
const CHANGED: ReadonlySet<string | undefined> = new Set(['ENOTEMPTY', 'EEXIST', 'ENOTDIR', 'EISDIR', 'ELOOP'])

/** Where what is too deep is moved to. */
interface Outermost {
  readonly folder: FileHandle
  moved: number
}

/** Removes a file, a link, or a folder with all below it, which need not be there. It lies in a folder of the agent's own. */
export async function removeTree(path: string): Promise<void> {
  if (process.platform === 'linux') await remove(Buffer.from(path), null, 0)
  else await rm(path, { recursive: true, force: true })
}

/**
 * Gives a file, or a folder (0700) with all below it, to an account. It lies in a folder of the agent's own. What is the
 * account's already is left as it is. Links themselves are given, never what they lead to.
 */
export async function giveTree({ uid, gid }: Account, path: string): Promise<void> {
  const folder = await openFolder(Buffer.from(path))
  if (folder === null) {
    await lchown(path, uid, gid)
    return
  }
  try {
    const found = await folder.stat()
    if (found.uid === uid && found.gid === gid) return
    // Closed to whoever had it, until all of it is given.
    await folder.chown(process.getuid?.() ?? 0, process.getgid?.() ?? 0)
    await folder.chmod(0o700)
    await giveInside(folder, { uid, gid, depth: 1 })
    await folder.chown(uid, gid)
  } finally {
    await folder.close()
  }
}

async function giveInside(
  outer: FileHandle,
  { uid, gid, depth }: { uid: number; gid: number; depth: number },
): Promise<void> {
  if (depth > MAX_GIVEN_DEPTH)
    throw new VipswapError('start_failed', 'its folders are nested too deep to be given to another user')
  for (const { path: at } of await inside(outer)) {
    const folder = await openFolder(at)
    try {
      if (folder !== null) await giveInside(folder, { uid, gid, depth: depth + 1 })
      if (folder === null) await lchown(at, uid, gid)
      else await folder.chown(uid, gid)
    } finally {
      await folder?.close()
    }
  }
}

async function remove(path: Buffer, outermost: Outermost | null, depth: number): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      const folder = await openFolder(path)
      if (folder === null) {
        await unlink(path)
        return
      }
      try {
        await empty(folder, outermost ?? { folder, moved: 0 }, depth)
      } finally {
        await folder.close()
      }
      await rmdir(path)
      return
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return
      if (!CHANGED.has(systemCode(error)) || tries === MAX_TRIES) throw error
    }
  }
}

async function empty(folder: FileHandle, outermost: Outermost, depth: number): Promise<void> {
  for (let pass = 0; pass < MAX_PASSES; pass += 1) {
    if (depth === 0) outermost.moved = 0
    const entries = await inside(folder)
    const others = entries.filter(({ isFolder }) => !isFolder)
    for (let index = 0; index < others.length; index += AT_ONCE) {
      const some = others.slice(index, index + AT_ONCE)
      await Promise.all(some.map(async ({ path }) => remove(path, outermost, depth + 1)))
    }
    for (const { path, isFolder } of entries) {
      if (!isFolder) continue
      if (depth + 1 < MAX_DEPTH) await remove(path, outermost, depth + 1)
      else await moveUp(path, outermost)
    }
    if (depth > 0 || outermost.moved === 0) return
  }
}

async function moveUp(path: Buffer, outermost: Outermost): Promise<void> {
  outermost.moved += 1
  await rename(path, within(outermost.folder, Buffer.from(`deep-${randomBytes(8).toString('hex')}`)))
}

/** null: it is no folder, or a link to one. */
async function openFolder(path: Buffer): Promise<FileHandle | null> {
  try {
    return await open(path, FOLDER)
  } catch (error) {
    const code = systemCode(error)
    if (code === 'ENOTDIR' || code === 'ELOOP') return null
    throw error
  }
}

/** Names are bytes: a role may choose such as are no text. */
async function inside(folder: FileHandle): Promise<{ path: Buffer; isFolder: boolean }[]> {
  const entries = await readdir(`/proc/self/fd/${folder.fd}`, { withFileTypes: true, encoding: 'buffer' })
  return entries.map(entry => ({ path: within(folder, entry.name), isFolder: entry.isDirectory() }))
}

function within({ fd }: FileHandle, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`/proc/self/fd/${fd}/`), name])
}
