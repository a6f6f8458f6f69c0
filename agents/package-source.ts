import { mkdir } from 'node:fs/promises'
import { dirname, isAbsolute, relative, resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { Client } from 'undici'
import * as tar from 'tar'
import { VipswapError, errorMessage, systemCode } from '../src/core/errors.ts'

/** Where packages come from. `fetch` fills an existing empty directory with the package's files, unverified. */
export interface PackageSource {
  fetch(digest: string, intoDirectory: string): Promise<void>
}

/** The controller's socket: `GET /packages/<digest>` answers a tar. */
export class ControllerPackageSource implements PackageSource {
  readonly #socketPath: string

  constructor(socketPath: string) {
    this.#socketPath = socketPath
  }

  /**
   * Throws `unreachable` where the controller does not answer (try again), `package_not_found` where it has none,
   * `invalid_package` for an archive that leaves its folder.
   */
  async fetch(digest: string, intoDirectory: string): Promise<void> {
    const client = new Client('http://controller', { socketPath: this.#socketPath })
    const name = digest.slice(0, 12)
    try {
      const { statusCode, body } = await client
        .request({ method: 'GET', path: `/packages/${digest}` })
        .catch((error: unknown) => {
          throw unreachable(name, error)
        })
      if (statusCode !== 200) {
        body.on('error', () => {}).destroy()
        const code = statusCode === 404 ? 'package_not_found' : 'unreachable'
        throw new VipswapError(code, `the controller answered ${statusCode} for package ${name}`)
      }
      await unpack(body, intoDirectory).catch((error: unknown) => {
        throw systemCode(error)?.startsWith('UND_ERR') === true ? unreachable(name, error) : error
      })
    } finally {
      client.destroy().catch(() => {})
    }
  }
}

function unreachable(name: string, error: unknown): VipswapError {
  return new VipswapError('unreachable', `cannot get package ${name} from the controller: ${errorMessage(error)}`)
}

/** Unpacks a tar of files, folders and inward links; anything else in it is refused as a whole. */
export async function unpack(archive: NodeJS.ReadableStream, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true })
  const refused: string[] = []
  await pipeline(
    archive,
    tar.extract({
      cwd: directory,
      strict: true,
      preserveOwner: false,
      noMtime: true,
      filter: (path, entry) => {
        const fault = 'type' in entry ? faultOf(directory, path, entry.type, entry.linkpath) : null
        if (fault !== null) refused.push(fault)
        return fault === null
      },
    }),
  )
  const [first] = refused
  if (first !== undefined) throw new VipswapError('invalid_package', first)
}

function faultOf(root: string, path: string, type: string, linkPath = ''): string | null {
  if (!isInside(root, resolve(root, path)) || isAbsolute(path)) return `${path} leaves the package's folder`
  switch (type) {
    case 'File':
    case 'OldFile':
    case 'ContiguousFile':
    case 'Directory':
      return null
    case 'SymbolicLink': {
      const target = resolve(root, dirname(path), linkPath)
      return isAbsolute(linkPath) || !isInside(root, target) ? `the link ${path} points out of the package` : null
    }
    default:
      return `${path} is a ${type}; a package holds files, folders and links only`
  }
}

function isInside(root: string, path: string): boolean {
  const way = relative(root, path)
  return way !== '..' && !way.startsWith('../') && !isAbsolute(way)
}
