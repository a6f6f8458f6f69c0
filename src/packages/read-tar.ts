import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { Parser, type ReadEntry } from 'tar'
import { VipswapError } from '../core/errors.ts'
import { damaged } from './damaged.ts'
import { NO_CONTENT, type EntrySink, type PackageEntry } from './entry.ts'
import type { PackageLimits } from './limits.ts'

/** What headers may take per entry beside the content: their block, long names, extended attributes. */
const OVERHEAD_PER_ENTRY = 4096

/**
 * Reads an uncompressed tar and hands its entries to `sink`, one after the other. Throws `invalid_package` for what
 * is no tar or is cut off; what `sink` throws comes through. The source is destroyed on the way out of a failure.
 */
export async function readTar(source: Readable, limits: PackageLimits, sink: EntrySink): Promise<void> {
  const parser = new Parser({ strict: true, brotli: false, zstd: false })
  const most = limits.maxBytes + limits.maxFiles * OVERHEAD_PER_ENTRY + 1024 ** 2
  let entries = Promise.resolve()
  let current: ReadEntry | undefined
  let stopped = false
  let stop: (reason: unknown) => void = () => {}
  const failed = new Promise<never>((_, reject) => {
    stop = reject
  })
  failed.catch(() => {}) // Looked at below, through races; it must not count as unhandled before that.
  parser.on('error', (error: unknown) => stop(damaged(error)))
  parser.on('ignoredEntry', (entry: ReadEntry) => {
    stop(new VipswapError('invalid_package', `${entry.path} is of a kind packages cannot hold (${entry.type})`))
  })
  parser.on('entry', (entry: ReadEntry) => {
    entries = entries.then(async () => {
      if (stopped) return
      current = entry
      entry.on('error', () => {}) // Ours, below; whoever reads the content gets it too.
      try {
        await sink(describeEntry(entry))
        entry.resume()
      } catch (error) {
        stop(error)
      }
      current = undefined
    })
  })
  const ended = once(parser, 'end').catch(() => {})
  let bytes = 0
  try {
    const feed = async () => {
      for await (const chunk of source as AsyncIterable<Buffer>) {
        bytes += chunk.byteLength
        if (bytes > most) {
          throw new VipswapError(
            'package_too_large',
            `the archive unpacks to more than ${most} bytes (packages.maxBytes)`,
          )
        }
        if (!parser.write(chunk)) await Promise.race([once(parser, 'drain'), failed])
      }
      if (bytes === 0) throw new VipswapError('invalid_package', 'the archive is empty')
      parser.end()
      await ended
      await entries
    }
    await Promise.race([feed(), failed])
  } catch (error) {
    throw damaged(error)
  } finally {
    source.destroy()
    stopped = true
    // A sink that waits for content that will not come any more: it must have ended before the caller cleans up.
    current?.destroy(new Error('the archive ended'))
    await entries
  }
}

function describeEntry(entry: ReadEntry): PackageEntry {
  const type = typeOf(entry)
  return {
    name: entry.path,
    type,
    executable: ((entry.mode ?? 0) & 0o111) !== 0,
    target: entry.linkpath ?? '',
    content: type === 'file' ? entry : NO_CONTENT,
  }
}

function typeOf({ type }: ReadEntry): PackageEntry['type'] {
  if (type === 'File' || type === 'OldFile' || type === 'ContiguousFile') return 'file'
  if (type === 'Directory') return 'directory'
  if (type === 'SymbolicLink') return 'link'
  return type === 'Link' ? 'hardlink' : 'other'
}
