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
    const { name, version, roles } = release.definition
    const texts = warnings.map(({ message }) => message)
    for (const text of texts) session.note(`warning: ${text}`)
    const checked = { name, version, roles: Object.keys(roles), digest: release.digest, warnings: texts }
    session.result('package', checked, `${name} ${version} is valid (roles: ${checked.roles.join(', ')})`)
  })

  act(program.command('gc').description('remove packages that nothing refers to'), context, async session => {
    const { removed } = await session.client.gc()
    session.result('gc', { removed }, removed.length === 0 ? 'nothing to remove' : removed.join('\n'))
  })
}
