import type { Command } from 'commander'
import { checkPackage } from '../package-check.ts'
import { act, type VerbContext } from '../verb.ts'

/** `validate`, `gc`. */
export function packageVerbs(program: Command, context: VerbContext): void {
  const validate = program
    .command('validate <package>')
    .description("check a package's definition; every fault with its place")
  act(validate, context, async (session, _flags, [path = '']) => {
    const checked = await checkPackage(path)
    for (const warning of checked.warnings) session.note(`warning: ${warning}`)
    session.result(
      'package',
      checked,
      `${checked.name} ${checked.version} is valid (roles: ${checked.roles.join(', ')})`,
    )
  })

  act(program.command('gc').description('remove packages that nothing refers to'), context, async session => {
    const { removed } = await session.client.gc()
    session.result('gc', { removed }, removed.length === 0 ? 'nothing to remove' : removed.join('\n'))
  })
}
