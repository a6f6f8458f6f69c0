import { readFileSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { writeFileAtomic } from '../src/core/atomic-file.ts'
import { readPublicKey } from '../src/core/minisign.ts'
import { VipswapError } from '../src/core/errors.ts'
import { judgeSignatures, type SignedPackage, type TrustPolicy } from '../src/packages/trust.ts'

type Keys = TrustPolicy['keys']

export interface PackageTrustOptions {
  /** Signatures by digest are kept here, so that what is known starts without a controller. */
  readonly directory: string
  /** From the file that this agent was given; null: it goes by what the controller says. */
  readonly ownKeys: Keys | null
  /** What the controller knows of a package's signatures. Throws `unreachable`, `package_not_found`. */
  readonly fetch: (digest: string) => Promise<SignedPackage>
}

/** Holds packages to their signatures before they are unpacked and before they are run. */
export class PackageTrust {
  readonly #options: PackageTrustOptions
  #told: Keys | null = null

  constructor(options: PackageTrustOptions) {
    this.#options = options
  }

  /** What the controller asks for; an agent with keys of its own does not listen. */
  tell(keys: Keys | null): void {
    this.#told = keys
  }

  /** Throws `signature_required` or `signature_invalid` for what may not be run, `unreachable` where that cannot be known. */
  async check(digest: string): Promise<void> {
    const keys = this.#options.ownKeys ?? this.#told
    if (keys === null) return
    const policy = { required: true, keys }
    const known = this.#read(digest)
    if (known !== null && isTrusted(known, policy)) return
    // The keys have changed, or signatures were added since: the controller may have others.
    const fetched = { ...(await this.#options.fetch(digest)), digest }
    judgeSignatures(fetched, policy)
    writeFileAtomic(this.#file(digest), `${JSON.stringify(fetched)}\n`)
  }

  /** Forgets what is known of all others. */
  retain(keep: ReadonlySet<string>): void {
    for (const name of namesIn(this.#options.directory))
      if (!keep.has(name.slice(0, -'.json'.length))) rmSync(join(this.#options.directory, name), { force: true })
  }

  #read(digest: string): SignedPackage | null {
    try {
      const read = JSON.parse(readFileSync(this.#file(digest), 'utf8')) as Partial<SignedPackage> // judged, not believed
      const { name = '', version = '', signatures = [] } = read
      return { digest, name, version, signatures }
    } catch {
      return null
    }
  }

  #file(digest: string): string {
    return join(this.#options.directory, `${digest}.json`)
  }
}

/** Public keys of a file, a line each; lines that begin with `untrusted comment:` or `#` are comments. Throws `usage`. */
export function readTrustedKeys(path: string): Keys {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch {
    throw new VipswapError('usage', `${path} cannot be read`)
  }
  const lines = text
    .split(/\r?\n/)
    .map(line => line.trim())
    .filter(line => line !== '' && !line.startsWith('#') && !line.startsWith('untrusted comment:'))
  const keys = lines.map(line => {
    const key = readPublicKey(line)
    if (key === null) throw new VipswapError('usage', `${path}: "${line.slice(0, 60)}" is no minisign public key`)
    return [key.id, line] as const
  })
  if (keys.length === 0) throw new VipswapError('usage', `${path} holds no public key`)
  return Object.fromEntries(keys)
}

function isTrusted(signed: SignedPackage, policy: TrustPolicy): boolean {
  try {
    return judgeSignatures(signed, policy).length > 0
  } catch {
    return false
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}
