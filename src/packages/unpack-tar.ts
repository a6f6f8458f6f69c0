import type { Readable } from 'node:stream'
import { DEFAULT_PACKAGE_LIMITS, type PackageLimits } from './limits.ts'
import { readTar } from './read-tar.ts'
import { unpackInto } from './unpack.ts'

/**
 * Unpacks a package as the store gives it out (uncompressed tar) into `directory`, which must be empty or absent.
 * Compare `contentDigest(directory)` with the digest asked for before using it. Throws `invalid_package` or
 * `package_too_large` and leaves a part behind then, which the caller removes.
 */
export async function unpackTar(
  stream: Readable,
  directory: string,
  limits: PackageLimits = DEFAULT_PACKAGE_LIMITS,
): Promise<void> {
  await unpackInto(directory, limits, async sink => readTar(stream, limits, sink))
}
