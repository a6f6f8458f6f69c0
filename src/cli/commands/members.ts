import { Argument, type Command } from 'commander'
import { MEMBER_KINDS, type MemberKind } from '../../core/member/identity.ts'
import { VipswapError } from '../../core/errors.ts'
import { table } from '../print/table.ts'
import { act, type VerbContext } from '../verb.ts'

/** `members`, `member token|remove`, `whoami`. */
export function memberVerbs(program: Command, context: VerbContext): void {
  act(
    program.command('whoami').description('who you are to the controller, and in which role'),
    context,
    async session => {
      const caller = await session.client.whoAmI()
      const { name, role, means } = caller
      session.result('caller', caller, () => `${name}: ${role} (${means})`)
    },
  )

  const members = program.command('members').description('agents and proxies of other machines')
  act(members, context, async session => {
    const list = await session.client.members()
    session.result('members', { members: list }, () =>
      table(
        ['KIND', 'NAME', 'JOINED', 'CERTIFICATE UNTIL'],
        list.map(each => [each.kind, each.name, each.joinedAt, each.expiresAt]),
      ),
    )
  })

  const member = program.command('member').description('let an agent or proxy of another machine in, or shut it out')
  const kind = new Argument('<kind>', 'agent or proxy').choices(MEMBER_KINDS)
  const token = member
    .command('token')
    .addArgument(kind)
    .description('make a token that lets one newcomer join, once')
    .option('--name <name>', 'only the one of this name, also in place of one that has joined')
    .option('--ttl <duration>', 'how long it may be used (default: 1h)')
  act<{ name?: string; ttl?: string }>(token, context, async (session, { name, ttl }, [which]) => {
    const made = await session.client.makeJoinToken({
      kind: kindOf(which),
      ...(name === undefined ? {} : { name }),
      ...(ttl === undefined ? {} : { ttl }),
    })
    session.result('join-token', made, made.token)
    const words = which === 'agent' ? `--node ${name ?? 'NAME'}` : `--id ${name ?? 'NAME'}`
    session.note(
      `until ${made.expiresAt}: vipswap ${which} --data DIR ${words} --controller ${made.controller} --join TOKEN`,
    )
  })
  const remove = member
    .command('remove')
    .addArgument(kind)
    .argument('<name>')
    .description('take its certificate back and hang up on it; what it runs is not stopped by that')
  act(remove, context, async (session, _flags, [which, name = '']) => {
    const removed = await session.client.removeMember(kindOf(which), name)
    session.result('member', removed, `${removed.kind} ${removed.name} is removed`)
  })
}

function kindOf(word: string | undefined): MemberKind {
  const kind = MEMBER_KINDS.find(each => each === word)
  if (kind === undefined) throw new VipswapError('usage', 'write agent or proxy')
  return kind
}
