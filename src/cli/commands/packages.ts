import type { Command } from 'commander'
import { readPackage } from '../../packages/read-package.ts'
import { act, type VerbContext } from '../verb.ts'

/** `validate`, `gc`. */
export function packageVerbs(program: Command, context: VerbContext): void {
  const validate = program
    .command('validate <package>')
    .description("check a package's definition; every fault with its place")
  act(validate, context, async (session, _flags, [path = '']) => {
    const { release, warnings } = await readPackage(path)
    const { definition, digest } = release
    const { name, version } = definition
    const roles = Object.keys(definition.roles)
    for (const warning of warnings) session.note(`warning: ${warning.message}`)
    session.result(
      'package',
      { name, version, digest, roles, warnings },
      `${name} ${version} is valid (roles: ${roles.join(', ')})`,
    )
  })

  act(program.command('gc').description('remove packages that nothing refers to'), context, async session => {
    const { removed } = await session.client.gc()
    session.result('gc', { removed }, removed.length === 0 ? 'nothing to remove' : removed.join('\n'))
  })
}
