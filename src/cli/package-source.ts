import { createReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { VipswapError, systemCode } from '../core/errors.ts'
import { packDirectory } from '../packages/pack.ts'
import { readPackage } from '../packages/read-package.ts'

/** A package on its way to the controller. */
export interface PackageSource {
  readonly body: Readable
  readonly kind: 'gzip' | 'zip'
}

/** Opens a directory (packed on the way), a `.tar.gz` or a `.zip` for upload. Rejects with `invalid_package`. */
export async function openPackage(path: string): Promise<PackageSource> {
  const found = await stat(path).catch((error: unknown) => {
    const why = systemCode(error) === 'ENOENT' ? 'is not there' : `cannot be read (${systemCode(error) ?? 'unknown'})`
    throw new VipswapError('invalid_package', `${path} ${why}; give a directory, a .tar.gz or a .zip`)
  })
  if (found.isDirectory()) {
    // Its faults are told here, with places in the files as the person knows them.
    await readPackage(path)
    return { body: (await packDirectory(path)).stream, kind: 'gzip' }
  }
  return { body: createReadStream(path), kind: await kindOf(path) }
}

/** By its first bytes, whatever its name. */
async function kindOf(path: string): Promise<'gzip' | 'zip'> {
  const file = await open(path)
  try {
    const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0)
    if (buffer[0] === 0x1f && buffer[1] === 0x8b) return 'gzip'
    if (buffer[0] === 0x50 && buffer[1] === 0x4b) return 'zip'
  } finally {
    await file.close()
  }
  throw new VipswapError('invalid_package', `${path} is neither a .tar.gz nor a .zip; give one, or a directory`)
}
