import { Type } from 'typebox'
import { JOIN_TOKEN, JoinTokenBody, type MemberView } from '../../contracts/api/member.ts'
import type { MemberRecord } from '../../controller/members/register.ts'
import type { Members } from '../../controller/members/members.ts'
import { formatDuration, parseDuration } from '../../core/duration.ts'
import { VipswapError } from '../../core/errors.ts'
import { LIST_MEMBERS, MAKE_JOIN_TOKEN, REMOVE_MEMBER } from '../calls/members.ts'
import type { AdminApp, AdminContext } from '../context.ts'

const MemberParams = Type.Object({
  kind: Type.Union([Type.Literal('agent'), Type.Literal('proxy')]),
  name: Type.String(),
})

/** Agents and proxies of other machines: who they are, letting one in, shutting one out. */
export function memberRoutes(app: AdminApp, { members }: AdminContext): void {
  const known = (): Members => {
    if (members !== null) return members
    throw new VipswapError(
      'no_links',
      'the controller takes no agents and proxies of other machines; start it with --links HOST:PORT',
    )
  }
  app.get('/v1/members', { config: { call: LIST_MEMBERS } }, () => ({ members: known().list().map(viewOf) }))
  app.post(
    '/v1/join-tokens',
    { schema: { body: JoinTokenBody }, config: { call: MAKE_JOIN_TOKEN } },
    ({ body: { kind, name = null, ttl } }, reply) => {
      const lifeMs = ttl === undefined ? JOIN_TOKEN.defaultMs : parseDuration(ttl)
      if (lifeMs <= 0 || lifeMs > JOIN_TOKEN.maxMs) {
        const most = formatDuration(JOIN_TOKEN.maxMs)
        throw new VipswapError('invalid_request', `body.ttl: found "${ttl ?? ''}"; write a duration of up to ${most}`)
      }
      const { id, token, expiresAt } = known().makeToken(kind, name, lifeMs)
      reply.code(201)
      const { port } = known().address
      return { id, token, expiresAt: new Date(expiresAt).toISOString(), controller: `https://HOST:${port}` }
    },
  )
  app.delete(
    '/v1/members/:kind/:name',
    { schema: { params: MemberParams }, config: { call: REMOVE_MEMBER } },
    ({ params }) => {
      const removed = viewOf(known().remove(params))
      return { removed }
    },
  )
}

function viewOf({ kind, name, joinedAt, expiresAt }: MemberRecord): MemberView {
  return { kind, name, joinedAt: new Date(joinedAt).toISOString(), expiresAt: new Date(expiresAt).toISOString() }
}
