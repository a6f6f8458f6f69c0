import type { UpgradeCommand } from '../../contracts/command.ts'
import { own } from '../../core/own.ts'
import type { Release } from '../../model/release.ts'
import type { Draft } from '../draft.ts'
import { specOf } from '../instances.ts'
import { refuse } from '../refusal.ts'

/** What vipswap does not run it cannot replace in place: refuses an upgrade that asks for it, with the way that is. */
export function refuseFronted(
  draft: Draft,
  deployment: string,
  release: Release,
  { role: only, restartUnchanged }: Pick<UpgradeCommand, 'role' | 'restartUnchanged'>,
): void {
  for (const role of draft.rolesOf(deployment)) {
    const { definition, identity } = specOf(role, role.target)
    const after = own(release.definition.roles, role.name)
    if (definition.upstreams.length === 0 || after === undefined || (only !== undefined && only !== role.name)) continue
    if (own(release.identities, role.name) === identity && !restartUnchanged) continue
    refuse(
      'change_not_allowed',
      `role ${role.name} fronts what its \`upstreams\` list: vipswap does not run it, so it cannot be upgraded in place; put the other one beside it (\`vipswap deploy PACKAGE --slot staging\`, or \`vipswap up --staging-upstream HOST:PORT\`) and \`vipswap swap\``,
    )
  }
}
