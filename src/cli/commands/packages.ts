import type { Command } from 'commander'
import { existsSync, statSync } from 'node:fs'
import { basename } from 'node:path'
import { VipswapError } from '../../core/errors.ts'
import { readFabricFile } from '../written-files.ts'
import { act, type VerbContext } from '../verb.ts'

/** `validate`, `gc`. */
export function packageVerbs(program: Command, context: VerbContext): void {
  const validate = program
    .command('validate <path>')
    .description('check a package, or a vipswap.yaml; every fault with its place')
  act(validate, context, async (session, _flags, [path = '']) => {
    if (await isSingleFile(path)) {
      const { warnings } = await readFabricFile(path)
      for (const warning of warnings) session.note(`warning: ${warning.message}`)
      session.result('fabric-configuration', { file: path, warnings }, `${path} is a valid fabric configuration`)
      return
    }
    const { readPackage } = await import('../../packages/read-package.ts')
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

/** YAML or JSON by itself, which no package is. Throws `usage` for a part of a package: alone it cannot be checked. */
async function isSingleFile(path: string): Promise<boolean> {
  if (!/\.(ya?ml|json)$/.test(path) || !existsSync(path) || statSync(path).isDirectory()) return false
  const name = basename(path)
  const { CONFIGURATION_FILES } = await import('../../model/load-configuration.ts')
  const { DEFINITION_FILES } = await import('../../model/load-definition.ts')
  if ([...DEFINITION_FILES, ...CONFIGURATION_FILES].some(part => part === name)) {
    throw new VipswapError('usage', `${path} is a part of a package: name the folder it lies in`)
  }
  return true
}
