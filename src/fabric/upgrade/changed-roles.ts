import { own } from '../../core/own.ts'
import type { Configuration } from '../../model/definition.ts'
import type { Release } from '../../model/release.ts'
import type { Draft } from '../draft.ts'
import { canonicalSettings, makeSpec, requireRelease } from '../specs.ts'
import type { RoleRecord, RoleSpec } from '../state.ts'
import { specOf } from '../instances.ts'
import { compose, type Composition, leadsThere } from './composition.ts'
import type { Wish } from './begin.ts'

/** Roles that `release` under `configuration` would have run otherwise than they do, and how. */
export function changedRoles(
  draft: Draft,
  id: string,
  release: Release,
  configuration: Configuration,
  wish: Pick<Wish, 'role' | 'restartUnchanged' | 'ownPackages' | 'slot'>,
): { role: Readonly<RoleRecord>; spec: RoleSpec }[] {
  return draft.rolesOf(id).flatMap(role => {
    const current = role.specs[role.target]
    const source = sourceOf(draft, role, release, wish)
    const definition = own(source.definition.roles, role.name)
    if (definition === undefined || (wish.role !== null && wish.role !== role.name)) return []
    const spec = makeSpec(source, definition, configuration, wish.slot)
    return current !== undefined && isUnchanged(current, spec) && !wish.restartUnchanged ? [] : [{ role, spec }]
  })
}

function sourceOf(
  draft: Draft,
  role: Readonly<RoleRecord>,
  release: Release,
  { ownPackages }: Pick<Wish, 'ownPackages'>,
): Release {
  return ownPackages ? requireRelease(draft.releases, specOf(role, role.target).package) : release
}

/** The roles and counts that `release` under `configuration` adds and removes. */
export function compositionOf(
  draft: Draft,
  id: string,
  release: Release,
  configuration: Configuration,
  wish: Pick<Wish, 'role' | 'ownPackages' | 'allowRoleChanges'>,
): Composition {
  const running = draft.deployments.get(id)?.upgrade ?? null
  const roles = draft.rolesOf(id)
  return compose({ running, roles }, release, configuration, wish, role => sourceOf(draft, role, release, wish))
}

/** Is there anything to walk? */
export function differs(draft: Draft, id: string, release: Release, configuration: Configuration, wish: Wish): boolean {
  const running = draft.deployments.get(id)?.upgrade ?? null
  if (!leadsThere(running, compositionOf(draft, id, release, configuration, wish))) return true
  return changedRoles(draft, id, release, configuration, wish).length > 0
}

function isUnchanged(current: RoleSpec, next: RoleSpec): boolean {
  return (
    current.identity === next.identity &&
    canonicalSettings(current.settings) === canonicalSettings(next.settings) &&
    current.platform.version === next.platform.version &&
    current.platform.trustLevel === next.platform.trustLevel
  )
}
