import { Type } from 'typebox'
import { JoinTokenView, MemberView } from '../../contracts/api/member.ts'
import { listOf, reading, type Call } from './call.ts'

export const LIST_MEMBERS = reading({
  id: 'listMembers',
  tag: 'nodes',
  summary: 'Agents and proxies of other machines.',
  schema: listOf('members', MemberView),
  problems: ['no_links'],
  example: {
    members: [
      { kind: 'agent', name: 'node-7', joinedAt: '2026-01-02T03:04:05.000Z', expiresAt: '2026-02-01T03:04:05.000Z' },
    ],
  },
})

export const MAKE_JOIN_TOKEN: Call = {
  id: 'makeJoinToken',
  tag: 'nodes',
  summary: 'Make a token that lets one agent or proxy of another machine join, once.',
  answers: { 201: { description: 'Made.', schema: JoinTokenView } },
  problems: ['no_links', 'change_not_allowed'],
  example: { kind: 'agent', name: 'node-7', ttl: '15m' },
}

export const REMOVE_MEMBER: Call = {
  id: 'removeMember',
  tag: 'nodes',
  summary: 'Take the certificate of an agent or proxy of another machine back, and hang up on it.',
  answers: { 200: { description: 'Removed.', schema: Type.Object({ removed: MemberView }) } },
  problems: ['no_links', 'member_not_found'],
  example: {
    removed: {
      kind: 'agent',
      name: 'node-7',
      joinedAt: '2026-01-02T03:04:05.000Z',
      expiresAt: '2026-02-01T03:04:05.000Z',
    },
  },
}
