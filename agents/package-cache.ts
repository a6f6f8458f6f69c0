import { randomUUID } from 'node:crypto'
import { renameSync } from 'node:fs'
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { backoffDelay } from '../src/core/backoff.ts'
import { VipswapError, errorMessage, type ErrorCode } from '../src/core/errors.ts'
import type { PackageSource } from './package-source.ts'

/** Begins the name of a package that is being removed. */
const REMOVED = 'removed-'
/** Begins the name of a package that is being fetched. */
const FRESH = 'new-'
const DIGEST = /^[0-9a-f]{64}$/

/** Codes that speak of a package. Whatever else goes wrong (no room, no descriptors, no controller) speaks of this moment. */
const OF_THE_PACKAGE: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'invalid_package',
  'package_not_found',
  'package_too_large',
  'signature_invalid',
  'signature_required',
])

export interface PackageCacheOptions {
  readonly directory: string
  readonly source: Pick<PackageSource, 'fetch'>
  /** The content digest of a directory (src/packages/digest.ts). */
  readonly digestOf: (directory: string) => Promise<string>
  /** Asked before a package is fetched and each time before it is used; throws what forbids it. */
  readonly admit: (digest: string) => Promise<void>
  /** What is here, or what is wrong, has changed. */
  readonly onChange: () => void
  /** A package cannot be had just now, for a reason that is not its own; it is tried again. */
  readonly onTrouble: (digest: string, reason: string) => void
}

/** The node's packages by digest. Nothing is answered for, or used, before its content was seen to have that digest. */
export class PackageCache {
  readonly #options: PackageCacheOptions
  readonly #verified = new Set<string>()
  readonly #errors = new Map<string, string>()
  readonly #inFlight = new Map<string, Promise<string>>()
  #wanted: ReadonlySet<string> = new Set()
  #keep: ReadonlySet<string> = new Set()
  #sweep: Promise<void> = Promise.resolve()
  readonly #loops = new Set<string>()
  readonly #closing = new AbortController()

  constructor(options: PackageCacheOptions) {
    this.#options = options
  }

  get verified(): readonly string[] {
    return [...this.#verified].toSorted()
  }

  /** By digest; the controller gives up what needs such a package. */
  get errors(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.#errors)
  }

  close(): void {
    this.#closing.abort()
  }

  /**
   * The package's directory, fetched and verified if need be. Throws what went wrong; it is also in `errors` where it
   * speaks of the package, and not of this moment.
   */
  async ensure(digest: string): Promise<string> {
    if (this.#verified.has(digest)) {
      await this.#options.admit(digest)
      return this.#path(digest)
    }
    const running = this.#inFlight.get(digest)
    if (running !== undefined) return running
    const promise = this.#obtain(digest)
    this.#inFlight.set(digest, promise)
    try {
      const path = await promise
      this.#verified.add(digest)
      this.#errors.delete(digest)
      return path
    } catch (error) {
      if (isOfThePackage(error)) this.#errors.set(digest, errorMessage(error))
      throw error
    } finally {
      this.#inFlight.delete(digest)
      this.#options.onChange()
    }
  }

  /** Fetches these ahead, trying again until they are here or no longer wanted. */
  prefetch(digests: readonly string[]): void {
    this.#wanted = new Set(digests)
    for (const digest of digests) void this.#keepTrying(digest)
  }

  /** Removes every package not in `keep`, nor in that of a later call, nor fetched ahead. One removal goes on at a time. */
  async retain(keep: ReadonlySet<string>): Promise<void> {
    this.#keep = keep
    for (const digest of this.#errors.keys()) if (!keep.has(digest)) this.#errors.delete(digest)
    // A failed one is told to who asked for it.
    this.#sweep = this.#sweep.catch(() => {}).then(async () => this.#removeSpare())
    return this.#sweep
  }

  async #removeSpare(): Promise<void> {
    const { directory, onChange } = this.#options
    for (const name of await readdir(directory).catch(() => [])) {
      // Asked anew for each: other words may have come while the one before was being deleted.
      if (this.#isKept(name)) continue
      this.#verified.delete(name)
      // Gone under its name at once: who fetches it again must not find half of it, nor what is left of it when it goes again.
      const gone = join(directory, name.startsWith(REMOVED) ? name : `${REMOVED}${randomUUID()}`)
      renameSync(join(directory, name), gone)
      await rm(gone, { recursive: true, force: true })
      onChange()
    }
  }

  #isKept(name: string): boolean {
    if (name.startsWith(FRESH)) return this.#inFlight.has(name.slice(FRESH.length))
    return this.#keep.has(name) || this.#wanted.has(name) || this.#inFlight.has(name)
  }

  async #keepTrying(digest: string): Promise<void> {
    if (this.#loops.has(digest) || this.#verified.has(digest)) return
    this.#loops.add(digest)
    const { signal } = this.#closing
    let told = ''
    for (let attempt = 0; this.#wanted.has(digest) && !signal.aborted; attempt += 1) {
      try {
        await this.ensure(digest)
        break
      } catch (error) {
        const reason = errorMessage(error)
        if (!isUnreachable(error) && !isOfThePackage(error) && reason !== told) {
          told = reason
          this.#options.onTrouble(digest, reason)
        }
        const ms = backoffDelay(attempt, { firstMs: 200, capMs: 10_000 }, Math.random())
        await delay(ms, undefined, { signal, ref: false }).catch(() => {})
      }
    }
    this.#loops.delete(digest)
  }

  async #obtain(digest: string): Promise<string> {
    if (!DIGEST.test(digest)) throw new VipswapError('invalid_package', `"${digest}" is not a package digest`)
    const { directory, source, digestOf, admit } = this.#options
    await admit(digest)
    const path = this.#path(digest)
    await mkdir(directory, { recursive: true })
    const names = await readdir(directory)
    // Left by an earlier agent: looked at once more, since a power cut may have torn what a rename published.
    if (names.includes(digest)) {
      if ((await digestOf(path)) === digest) return path
      await rm(path, { recursive: true, force: true })
    }
    const fresh = join(directory, FRESH + digest)
    await rm(fresh, { recursive: true, force: true })
    await mkdir(fresh)
    try {
      await source.fetch(digest, fresh)
      const found = await digestOf(fresh)
      if (found !== digest) {
        throw new VipswapError('invalid_package', `its content has the digest ${found}, not ${digest}: not used`)
      }
      await rename(fresh, path)
      return path
    } finally {
      await rm(fresh, { recursive: true, force: true })
    }
  }

  #path(digest: string): string {
    return join(this.#options.directory, digest)
  }
}

function isOfThePackage(error: unknown): boolean {
  return error instanceof VipswapError && OF_THE_PACKAGE.has(error.code)
}

function isUnreachable(error: unknown): boolean {
  return error instanceof VipswapError && error.code === 'unreachable'
}
