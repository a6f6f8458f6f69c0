import { createReadStream } from 'node:fs'
import type { Readable } from 'node:stream'
import { VipswapError } from '../core/errors.ts'
import { detectKind } from '../packages/ingest.ts'
import { packDirectory } from '../packages/pack.ts'
import { readPackage } from '../packages/read-package.ts'
import { readSignatureOf } from './signature-file.ts'

/** A package on its way to the controller. */
export interface PackageSource {
  readonly body: Readable
  readonly kind: 'gzip' | 'zip'
  /** Text of the `.minisig` file beside it, where there is one. */
  readonly signature?: string
}

/**
 * Opens a directory (packed on the way), a `.tar.gz` or a `.zip` for upload. A directory is checked first, so that its
 * faults are told with the names of its files. Rejects with `invalid_package`, `invalid_definition`, ….
 */
export async function openPackage(path: string): Promise<PackageSource> {
  const kind = await detectKind(path)
  const text = readSignatureOf(path)
  const signature = text === undefined ? {} : { signature: text }
  switch (kind) {
    case 'directory':
      await readPackage(path)
      return { body: (await packDirectory(path)).stream, kind: 'gzip', ...signature }
    case 'tar.gz':
      return { body: createReadStream(path), kind: 'gzip', ...signature }
    case 'zip':
      return { body: createReadStream(path), kind: 'zip', ...signature }
    case 'tar':
      throw new VipswapError('invalid_package', `${path} is a tar that is not compressed; write .tar.gz (gzip ${path})`)
  }
}
