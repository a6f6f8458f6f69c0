import { createReadStream, createWriteStream } from 'node:fs'
import { open, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough, type Duplex, type Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { VipswapError, errorMessage, systemCode } from '../core/errors.ts'
import { DEFINITION_FILES } from '../model/load-definition.ts'
import { damaged } from './damaged.ts'
import { checkLink } from './entry-guard.ts'
import type { PackageLimits } from './limits.ts'
import { readManifest } from './manifest.ts'
import { readTar } from './read-tar.ts'
import { readZip } from './read-zip.ts'
import { unpackInto } from './unpack.ts'

export type ArchiveKind = 'tar.gz' | 'zip' | 'tar'

/**
 * Unpacks an archive (a stream or the path of a file) under `work`, a folder of the caller's that is removed by the
 * caller. Answers the package's root: a single top-level folder that holds the definition counts as the root.
 */
export async function unpackArchive(
  source: Readable | string,
  kind: ArchiveKind,
  work: string,
  limits: PackageLimits,
): Promise<string> {
  const root = join(work, 'root')
  if (kind === 'zip') {
    // Its directory is at the end: a stream has to be on the disk first.
    const file = typeof source === 'string' ? source : await spool(source, join(work, 'upload.zip'), limits)
    await unpackInto(root, limits, async sink => readZip(file, sink))
    return findRoot(root)
  }
  const stream = typeof source === 'string' ? createReadStream(source) : source
  try {
    const plain = through(stream, kind === 'tar' ? new PassThrough() : createGunzip())
    await unpackInto(root, limits, async sink => readTar(plain, limits, sink))
  } finally {
    if (typeof source === 'string') stream.destroy()
  }
  return findRoot(root)
}

/** What lies at `path`, by its first bytes. Throws `invalid_package` for what is none of them. */
export async function detectKind(path: string): Promise<ArchiveKind | 'directory'> {
  try {
    if ((await stat(path)).isDirectory()) return 'directory'
    const file = await open(path)
    try {
      const head = Buffer.alloc(262)
      await file.read(head, 0, head.length, 0)
      if (head[0] === 0x1f && head[1] === 0x8b) return 'tar.gz'
      if (head.toString('latin1', 0, 2) === 'PK') return 'zip'
      if (head.toString('latin1', 257, 262) === 'ustar') return 'tar'
    } finally {
      await file.close()
    }
  } catch (error) {
    const why = systemCode(error) === 'ENOENT' ? 'does not exist' : `cannot be read: ${errorMessage(error)}`
    throw new VipswapError('invalid_package', `${path} ${why}`, {}, { cause: error })
  }
  throw new VipswapError('invalid_package', `${path} is no directory, .tar.gz or .zip`)
}

/**
 * Reads the caller's stream through another one that is ours to destroy. On a failure the caller's is not destroyed but
 * read to its end: it may be a request whose answer, the refusal, must still travel on the same connection.
 */
function through<T extends Duplex>(stream: Readable, ours: T): T {
  const fail = (error: Error) => ours.destroy(error)
  stream.on('error', fail)
  stream.once('close', () => {
    if (!stream.readableEnded) fail(new Error('the upload ended early'))
  })
  ours.on('error', () => {}) // Whoever reads it gets the error; it may come before the reading begins.
  ours.once('close', () => {
    stream.unpipe(ours)
    stream.resume()
  })
  if (stream.destroyed && !stream.readableEnded) fail(stream.errored ?? new Error('the upload ended early'))
  return stream.pipe(ours)
}

async function spool(stream: Readable, file: string, { maxBytes }: PackageLimits): Promise<string> {
  async function* bounded(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    let bytes = 0
    for await (const chunk of source) {
      bytes += chunk.byteLength
      if (bytes > maxBytes) {
        throw new VipswapError('package_too_large', `the archive has more than ${maxBytes} bytes (packages.maxBytes)`)
      }
      yield chunk
    }
  }
  try {
    await pipeline(through(stream, new PassThrough()), bounded, createWriteStream(file, { flags: 'wx', mode: 0o600 }))
  } catch (error) {
    throw damaged(error)
  }
  return file
}

async function findRoot(root: string): Promise<string> {
  const names = await readdir(root)
  const [only, more] = names
  const isDefinition = (name: string) => DEFINITION_FILES.some(file => file === name)
  if (only === undefined || more !== undefined || isDefinition(only)) return root
  const inner = join(root, only)
  // Not through a link: readdir of one would follow it.
  const manifest = await readManifest(root)
  if (!manifest.some(({ path, type }) => type === 'file' && isDefinition(path.slice(only.length + 1)))) return root
  for (const entry of manifest) {
    if (entry.type === 'link') checkLink(entry.path.slice(only.length + 1), entry.target)
  }
  return inner
}

/** Removes what a failed or finished ingest left. */
export async function removeFolder(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 3 })
}
