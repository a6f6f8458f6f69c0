import { existsSync } from 'node:fs'
import { timingSafeEqual } from 'node:crypto'
import { writeFileAtomic } from '../../core/atomic-file.ts'
import { VipswapError } from '../../core/errors.ts'
import { createId } from '../../core/ids.ts'
import { uriOf, type MemberIdentity, type MemberKind } from '../../core/member/identity.ts'
import { digestOfSecret } from '../../core/member/join-token.ts'
import { readPrivateFile } from '../../core/private-file.ts'

/** A token that was made and has not ended. Its secret is nowhere, only the digest of it. */
interface TokenRecord {
  readonly id: string
  readonly kind: MemberKind
  /** null: whatever name the newcomer has, unless it is taken. */
  readonly name: string | null
  readonly digest: string
  /** Milliseconds of the wall clock. */
  readonly expiresAt: number
  readonly usedBy: string | null
}

export interface MemberRecord extends MemberIdentity {
  readonly joinedAt: number
  /** The serial numbers of its last certificates, the newest first: older ones are shown until they are replaced. */
  readonly serials: readonly string[]
  readonly expiresAt: number
}

interface Content {
  readonly tokens: readonly TokenRecord[]
  readonly members: readonly MemberRecord[]
}

/** A used token is remembered for a while, so that a second use is told apart from a wrong one. */
const REMEMBER_MS = 7 * 86_400_000
const MAX_TOKENS = 100
/** Of one member: two processes of a proxy may renew while one replaces the other. */
const MAX_SERIALS = 4

/** Who may speak to the controller over a network, and with what one may come to. On disk before anything is answered. */
export class Register {
  readonly #path: string
  readonly #now: () => number
  #content: Content

  constructor(path: string, now: () => number = () => Date.now()) {
    this.#path = path
    this.#now = now
    // Written by `#save` alone, whole.
    this.#content = existsSync(path)
      ? (JSON.parse(readPrivateFile(path, 'the register of members')) as Content)
      : { tokens: [], members: [] }
  }

  get members(): readonly MemberRecord[] {
    return this.#content.members
  }

  find(identity: MemberIdentity): MemberRecord | null {
    return this.#content.members.find(each => uriOf(each) === uriOf(identity)) ?? null
  }

  /** Is it a certificate that was given to this member and not taken back? */
  holds(identity: MemberIdentity, serial: string): boolean {
    return this.find(identity)?.serials.includes(serial) === true
  }

  /** Remembers a token by its secret's digest. Throws `change_not_allowed` where there are too many. */
  addToken(token: { kind: MemberKind; name: string | null; secret: string; lifeMs: number }): {
    id: string
    expiresAt: number
  } {
    const { kind, name, secret, lifeMs } = token
    const now = this.#now()
    const tokens = this.#content.tokens.filter(each => each.expiresAt + REMEMBER_MS > now)
    if (tokens.length >= MAX_TOKENS)
      throw new VipswapError('change_not_allowed', `there are ${MAX_TOKENS} join tokens already; wait until some end`)
    const record = {
      id: createId('join'),
      kind,
      name,
      digest: digestOfSecret(secret),
      expiresAt: now + lifeMs,
      usedBy: null,
    }
    this.#save({ ...this.#content, tokens: [...tokens, record] })
    return { id: record.id, expiresAt: record.expiresAt }
  }

  /**
   * Checks that a newcomer may join with that secret; answers its id, by which it is used up. Throws `forbidden`. `isTaken`: a process
   * on the controller's machine has the name.
   */
  checkToken(secret: string, identity: MemberIdentity, isTaken: boolean): string {
    const asked = Buffer.from(digestOfSecret(secret))
    const [found] = this.#content.tokens.filter(each => timingSafeEqual(asked, Buffer.from(each.digest)))
    const who = uriOf(identity)
    if (found === undefined) throw new VipswapError('forbidden', 'the join token is not one of this controller')
    if (found.usedBy !== null)
      throw new VipswapError('forbidden', `the join token was used already, by ${found.usedBy}`)
    if (found.expiresAt <= this.#now()) throw new VipswapError('forbidden', 'the join token has ended')
    if (found.kind !== identity.kind) throw new VipswapError('forbidden', `the join token is for a ${found.kind}`)
    if (found.name !== null && found.name !== identity.name)
      throw new VipswapError('forbidden', `the join token is for ${found.kind} ${found.name}`)
    if (found.name === null && (isTaken || this.find(identity) !== null)) {
      const how = `remove that one, or make a token for this name: vipswap member token ${identity.kind} --name ${identity.name}`
      throw new VipswapError('forbidden', `${who} is there already: ${how}`)
    }
    return found.id
  }

  /** A certificate is given for a token, which is used up by it. Whoever had the name before has it no more. */
  joined(tokenId: string, identity: MemberIdentity, serial: string, expiresAt: number): void {
    const { tokens, members } = this.#content
    const { kind, name } = identity
    const record = { kind, name, joinedAt: this.#now(), serials: [serial], expiresAt }
    this.#save({
      tokens: tokens.map(each => (each.id === tokenId ? { ...each, usedBy: uriOf(identity) } : each)),
      members: [...members.filter(each => uriOf(each) !== uriOf(identity)), record],
    })
  }

  /** A further certificate; the ones before it hold until they end. */
  renewed(identity: MemberIdentity, serial: string, expiresAt: number): void {
    const members = this.#content.members.map(each =>
      uriOf(each) === uriOf(identity)
        ? { ...each, serials: [serial, ...each.serials].slice(0, MAX_SERIALS), expiresAt }
        : each,
    )
    this.#save({ ...this.#content, members })
  }

  /** Takes a member's certificates back. */
  remove(identity: MemberIdentity): void {
    const members = this.#content.members.filter(each => uriOf(each) !== uriOf(identity))
    this.#save({ ...this.#content, members })
  }

  #save(content: Content): void {
    writeFileAtomic(this.#path, JSON.stringify(content))
    this.#content = content
  }
}
