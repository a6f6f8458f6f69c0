import { join } from 'node:path'
import type { Address } from '../../core/address.ts'
import { VipswapError } from '../../core/errors.ts'
import { own } from '../../core/own.ts'
import type { Logger } from '../../core/logger.ts'
import { uriOf, type MemberIdentity, type MemberKind } from '../../core/member/identity.ts'
import { formatJoinToken, makeJoinToken } from '../../core/member/join-token.ts'
import type { FabricState } from '../../fabric/state.ts'
import type { LinkHandlers } from '../links/link.ts'
import { openAuthority } from './authority.ts'
import { startMemberServer } from './member-server.ts'
import { ownWords } from './own-words.ts'
import { Register, type MemberRecord } from './register.ts'

export interface MembersOptions {
  readonly address: Address
  /** The authority and the register are kept there. */
  readonly folder: string
  readonly handlers: LinkHandlers
  readonly state: () => FabricState
  /** Of members' certificates, in milliseconds. */
  readonly lifeMs: number
  readonly log: Logger
}

/** Agents and proxies on other machines. */
export interface Members {
  /** Where they dial. */
  readonly address: Address
  list(): readonly MemberRecord[]
  /** A token for one newcomer. `name` null: whatever name it has that is free. */
  makeToken(kind: MemberKind, name: string | null, lifeMs: number): { id: string; token: string; expiresAt: number }
  /** Takes its certificate back and hangs up; answers who it was. Throws `member_not_found`. */
  remove(identity: MemberIdentity): MemberRecord
  close(): Promise<void>
}

export async function startMembers({
  address,
  folder,
  handlers,
  state,
  lifeMs,
  log,
}: MembersOptions): Promise<Members> {
  const authority = await openAuthority(folder)
  const register = new Register(join(folder, 'members.json'))
  const server = await startMemberServer({
    address,
    authority,
    register,
    handlers: ownWords(handlers, incarnation => own(state().proxies, incarnation)?.id ?? null),
    isTaken: ({ kind, name }) =>
      kind === 'agent'
        ? own(state().nodes, name) !== undefined
        : Object.values(state().proxies).some(({ id }) => id === name),
    lifeMs,
    log,
  })
  return {
    address: server.address,
    list: () => register.members.toSorted((a, b) => (uriOf(a) < uriOf(b) ? -1 : 1)),
    makeToken(kind, name, tokenLifeMs) {
      const token = makeJoinToken(authority.certificate)
      const made = register.addToken({ kind, name, secret: token.secret, lifeMs: tokenLifeMs })
      return { ...made, token: formatJoinToken(token) }
    },
    remove(identity) {
      const { kind, name } = identity
      const found = register.find(identity)
      if (found === null)
        throw new VipswapError('member_not_found', `no ${kind} of another machine is called "${name}"`)
      register.remove(identity)
      server.cut(identity)
      return found
    },
    close: async () => server.close(),
  }
}
