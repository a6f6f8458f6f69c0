import { createReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { PassThrough, type Readable } from 'node:stream'
import { create } from 'tar'
import { VipswapError, systemCode } from '../core/errors.ts'

/** A package on its way to the controller. */
export interface PackageSource {
  readonly body: Readable
  readonly kind: 'gzip' | 'zip'
}

const SKIPPED = new Set(['.git', '.DS_Store'])

/** Opens a directory (packed on the way), a `.tar.gz` or a `.zip` for upload. Rejects with `invalid_package`. */
export async function openPackage(path: string): Promise<PackageSource> {
  const found = await stat(path).catch((error: unknown) => {
    const why = systemCode(error) === 'ENOENT' ? 'is not there' : `cannot be read (${systemCode(error) ?? 'unknown'})`
    throw new VipswapError('invalid_package', `${path} ${why}; give a directory, a .tar.gz or a .zip`)
  })
  if (found.isDirectory()) {
    await requireDefinition(path)
    const pack = create({ cwd: path, gzip: true, portable: true, filter: name => !skips(name) }, ['.'])
    const body = new PassThrough()
    pack.on('error', error => body.destroy(error instanceof Error ? error : new Error(String(error))))
    pack.pipe(body)
    return { body, kind: 'gzip' }
  }
  return { body: createReadStream(path), kind: await kindOf(path) }
}

async function requireDefinition(directory: string): Promise<void> {
  for (const name of ['service.yaml', 'service.yml', 'service.json']) {
    if (await stat(`${directory}/${name}`).catch(() => null)) return
  }
  throw new VipswapError('invalid_package', `${directory} has no service.yaml; it must stand at the package's root`)
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

function skips(name: string): boolean {
  return name.split('/').some(part => SKIPPED.has(part))
}
