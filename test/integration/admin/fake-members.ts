import type { Members } from '../../../src/controller/members/members.ts'
import type { MemberRecord } from '../../../src/controller/members/register.ts'
import { VipswapError } from '../../../src/core/errors.ts'
import type { MemberIdentity, MemberKind } from '../../../src/core/member/identity.ts'

const AT = Date.UTC(2026, 0, 2)

/** Members in memory: one agent, and as many tokens as one likes. */
export class FakeMembers implements Members {
  readonly address = { host: '127.0.0.1', port: 9443 }
  readonly #far: MemberRecord = { kind: 'agent', name: 'far', joinedAt: AT, expiresAt: AT, serials: [] }

  list(): readonly MemberRecord[] {
    return [this.#far]
  }

  makeToken(kind: MemberKind, name: string | null, lifeMs: number) {
    return { id: `join-${kind}-${name ?? 'any'}`, token: 'vj1.a.b', expiresAt: AT + lifeMs }
  }

  remove({ kind, name }: MemberIdentity): MemberRecord {
    if (kind === 'agent' && name === 'far') return this.#far
    throw new VipswapError('member_not_found', `no ${kind} is called ${name}`)
  }

  async close(): Promise<void> {}
}
