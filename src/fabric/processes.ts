import { own } from '../core/own.ts'
import type { RunSpec } from '../contracts/assignment.ts'
import type { RoleDefinition } from '../model/definition.ts'
import type { Blocker } from './refusal.ts'
import type { FabricSettings } from './state.ts'

type Settings = Pick<FabricSettings, 'processes' | 'sizes'>

/** As whom a role runs and what bounds it, for its agent to see to. */
export function confinementOf(
  definition: RoleDefinition,
  { processes, sizes }: Settings,
): Pick<RunSpec, 'user' | 'limits'> {
  const user = definition.user ?? processes?.user ?? null
  const size = definition.size === null ? undefined : own(sizes, definition.size)
  const openFiles = processes?.openFiles ?? null
  const limits = {
    ...(size === undefined ? {} : { cores: size.cores, memoryBytes: size.memoryBytes }),
    ...(openFiles === null ? {} : { openFiles }),
  }
  return { ...(user === null ? {} : { user }), ...(Object.keys(limits).length === 0 ? {} : { limits }) }
}

/** Roles that ask for a user that vipswap.yaml does not offer them: a package must not choose whom it acts as. */
export function userBlockers(roles: Iterable<RoleDefinition>, { processes }: Settings): Blocker[] {
  const offered = [...new Set([...(processes?.user == null ? [] : [processes.user]), ...(processes?.users ?? [])])]
  return [...roles].flatMap(({ name, user }) =>
    user === undefined || offered.includes(user)
      ? []
      : [
          {
            code: 'user_not_allowed' as const,
            message: `role ${name} asks to run as "${user}"; ${offered.length === 0 ? 'vipswap.yaml offers no user: write it under processes.users' : `vipswap.yaml offers ${offered.join(', ')}`}, or leave user out`,
          },
        ],
  )
}
