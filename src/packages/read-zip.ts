import { crc32 } from 'node:zlib'
import yauzl, { type Entry, type ZipFile } from 'yauzl'
import { VipswapError } from '../core/errors.ts'
import { damaged } from './damaged.ts'
import { NO_CONTENT, type EntrySink, type PackageEntry } from './entry.ts'

/** Longer than any target that is allowed: the rest is not even read. */
const MAX_TARGET_BYTES = 4096

const ELSEWHERE = 0xffff_ffff

/** Reads the zip file at `path` and hands its entries to `sink`. Throws `invalid_package` for what is no sound zip. */
export async function readZip(path: string, sink: EntrySink): Promise<void> {
  let zip: ZipFile | undefined
  try {
    zip = await yauzl.openPromise(path)
    for await (const entry of zip.eachEntry()) await sink(await describeEntry(zip, entry))
  } catch (error) {
    throw damaged(error)
  } finally {
    zip?.close()
  }
}

async function describeEntry(zip: ZipFile, entry: Entry): Promise<PackageEntry> {
  // The upper half holds Unix's mode where the archive was made on Unix (or claims so).
  const mode = entry.versionMadeBy >>> 8 === 3 ? entry.externalFileAttributes >>> 16 : 0
  const type = typeOf(entry.fileName, mode)
  if (entry.isEncrypted())
    throw new VipswapError('invalid_package', `${entry.fileName} is encrypted; pack it without a password`)
  await checkLocalHeader(zip, entry)
  return {
    name: entry.fileName,
    type,
    executable: (mode & 0o111) !== 0,
    target: type === 'link' ? await readTarget(zip, entry) : '',
    content: type === 'file' ? checkedContent(zip, entry) : NO_CONTENT,
  }
}

/** Each entry is described twice; two descriptions that differ are two archives in one file, by who reads it. */
async function checkLocalHeader(zip: ZipFile, entry: Entry): Promise<void> {
  const local = await zip.readLocalFileHeaderPromise(entry)
  const differs =
    !local.fileName.equals(entry.fileNameRaw) ||
    local.compressionMethod !== entry.compressionMethod ||
    // With a data descriptor, and in zip64, they stand elsewhere.
    ((local.generalPurposeBitFlag & 0x8) === 0 &&
      (local.crc32 !== entry.crc32 ||
        (local.compressedSize !== ELSEWHERE && local.compressedSize !== entry.compressedSize) ||
        (local.uncompressedSize !== ELSEWHERE && local.uncompressedSize !== entry.uncompressedSize)))
  if (differs)
    throw new VipswapError('invalid_package', `${entry.fileName} is described in two ways that differ; pack it again`)
}

function typeOf(name: string, mode: number): PackageEntry['type'] {
  if (name.endsWith('/')) return 'directory'
  switch (mode & 0o170000) {
    case 0:
    case 0o100000:
      return 'file'
    case 0o040000:
      return 'directory'
    case 0o120000:
      return 'link'
    default:
      return 'other'
  }
}

async function* checkedContent(zip: ZipFile, entry: Entry): AsyncGenerator<Uint8Array> {
  let sum = 0
  const content: AsyncIterable<Buffer> = await zip.openReadStreamPromise(entry)
  for await (const chunk of content) {
    sum = crc32(chunk, sum)
    yield chunk
  }
  if (sum !== entry.crc32)
    throw new VipswapError('invalid_package', `${entry.fileName} is damaged: its checksum is wrong`)
}

async function readTarget(zip: ZipFile, entry: Entry): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of checkedContent(zip, entry)) {
    bytes += chunk.byteLength
    if (bytes > MAX_TARGET_BYTES)
      throw new VipswapError('invalid_package', `${entry.fileName} is a link with too long a target`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}
