import { Type, type Static } from 'typebox'
import { DURATION_PATTERN } from '../../core/duration.ts'
import { MEMBER_KINDS, MEMBER_NAME } from '../../core/member/identity.ts'
import { OneOf, Text, Time, closed, type View } from './shape.ts'

/** How long a join token may be used. */
export const JOIN_TOKEN = { defaultMs: 3_600_000, maxMs: 30 * 86_400_000 } as const

export const MemberView = Type.Object(
  {
    kind: OneOf(MEMBER_KINDS),
    name: Text("Of an agent: its node's."),
    joinedAt: Time(),
    expiresAt: Time('End of its newest certificate; it renews it before.'),
  },
  { title: 'MemberView' },
)
export type MemberView = View<typeof MemberView>

export const JoinTokenBody = Type.Object(
  {
    kind: OneOf(MEMBER_KINDS),
    name: Type.Optional(
      Type.String({
        pattern: MEMBER_NAME.source,
        description: 'Only that one may join with it, also in place of one that has joined. Default: any that is new.',
      }),
    ),
    ttl: Type.Optional(Type.String({ pattern: DURATION_PATTERN, description: 'Default 1h, at most 24d.' })),
  },
  closed,
)
export type JoinTokenBody = Static<typeof JoinTokenBody>

export const JoinTokenView = Type.Object(
  {
    id: Text(),
    token: Text('Shown this once: only its digest is kept. It lets one in, once.'),
    expiresAt: Time(),
    controller: Text(
      'What the newcomer is told with `--controller`; HOST stands for a name or address it reaches it by.',
    ),
  },
  { title: 'JoinTokenView' },
)
export type JoinTokenView = View<typeof JoinTokenView>
