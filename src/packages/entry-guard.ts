import { VipswapError } from '../core/errors.ts'
import type { PackageEntry } from './entry.ts'
import type { PackageLimits } from './limits.ts'
import { isSkipped } from './manifest.ts'

/** Longest name that every usual file system takes, and a path that leaves room for the folder it is laid out in. */
const MAX_NAME_BYTES = 255
const MAX_PATH_BYTES = 1024

/**
 * Decides, name by name, what may come into a package. It keeps its own list of names and never asks the disk, so
 * that nothing an archive did before can mislead it.
 */
export class EntryGuard {
  readonly #limits: PackageLimits
  /** By the name as a file system without case and with one Unicode form sees it. */
  readonly #seen = new Map<string, { readonly path: string; readonly directory: boolean }>()
  #bytes = 0

  constructor(limits: PackageLimits) {
    this.#limits = limits
  }

  /** The path under which the entry goes in, or null where it is left out. Throws `invalid_package`, `package_too_large`. */
  admit({ name, type, target }: PackageEntry): string | null {
    if (type === 'other') throw refused(name, 'is a device, pipe or other special file')
    const parts = name.split('/').filter(part => part !== '' && part !== '.')
    checkName(name, parts)
    if (parts.length === 0 || parts.some(isSkipped)) return null
    parts.slice(0, -1).forEach((_, i) => this.#enter(parts.slice(0, i + 1).join('/'), true))
    const path = parts.join('/')
    this.#enter(path, type === 'directory')
    if (type === 'link') checkLink(path, target)
    return path
  }

  /** Counts unpacked bytes as they come. Throws `package_too_large`. */
  count(bytes: number): void {
    this.#bytes += bytes
    const { maxBytes } = this.#limits
    if (this.#bytes > maxBytes) {
      throw new VipswapError('package_too_large', `the package has more than ${maxBytes} bytes (packages.maxBytes)`)
    }
  }

  #enter(path: string, directory: boolean): void {
    const key = path.normalize('NFC').toLowerCase()
    const there = this.#seen.get(key)
    if (there === undefined) {
      this.#seen.set(key, { path, directory })
      const { maxFiles } = this.#limits
      if (this.#seen.size > maxFiles) {
        throw new VipswapError('package_too_large', `the package has more than ${maxFiles} files (packages.maxFiles)`)
      }
    } else if (there.path !== path) {
      throw refused(path, `differs from ${there.path} only in case or Unicode form; rename one`)
    } else if (!directory || !there.directory) {
      throw refused(path, there.directory === directory ? 'is there twice' : 'is both a folder and something else')
    }
  }
}

function checkName(name: string, parts: readonly string[]): void {
  if (name.startsWith('/') || /^[A-Za-z]:/.test(name)) throw refused(name, 'is absolute; write it relative')
  if (name.includes('\\')) throw refused(name, 'holds a backslash; write /')
  if (parts.includes('..')) throw refused(name, 'leaves the package')
  if (/[\0\uFFFD]/.test(name)) throw refused(name, 'holds a NUL or bytes that are not UTF-8')
  if (Buffer.byteLength(name) > MAX_PATH_BYTES || parts.some(part => Buffer.byteLength(part) > MAX_NAME_BYTES)) {
    throw refused(name, `is longer than ${MAX_NAME_BYTES} bytes, or ${MAX_PATH_BYTES} with its folders`)
  }
}

/**
 * A link must stay inside. `..` is allowed only at the beginning of the target: there it climbs real folders, while
 * behind another link's name it would climb from wherever that link leads.
 */
export function checkLink(path: string, target: string): void {
  const parts = target.split('/').filter(part => part !== '' && part !== '.')
  if (target === '' || /^\/|^[A-Za-z]:|[\\\0\uFFFD]/.test(target) || Buffer.byteLength(target) > MAX_PATH_BYTES) {
    throw refused(path, `is a link to "${target}"; only relative links inside the package are allowed`)
  }
  const climbs = parts.findIndex(part => part !== '..')
  const up = climbs === -1 ? parts.length : climbs
  if (up > path.split('/').length - 1) throw refused(path, `is a link to "${target}", which leaves the package`)
  if (parts.slice(up).includes('..')) throw refused(path, `is a link to "${target}"; write .. only at its beginning`)
}

function refused(name: string, why: string): VipswapError {
  const shown = name.length > 100 ? `${name.slice(0, 97)}...` : name
  return new VipswapError('invalid_package', `${JSON.stringify(shown)} ${why}`, { entry: shown })
}
