import { compare, satisfies, valid } from 'semver'
import { own } from '../core/own.ts'
import type { Release } from '../model/release.ts'
import type { Draft } from './draft.ts'
import { specOf } from './instances.ts'
import type { DeploymentRecord, RoleRecord } from './state.ts'

/**
 * The lowest version that any instance of these roles runs, or null where a version is none that can be compared. A role
 * that a later package left as it was counts as that package's.
 */
export function lowestVersion(
  draft: Draft,
  deployment: Readonly<DeploymentRecord>,
  roles: readonly Readonly<RoleRecord>[],
): string | null {
  const { upgrade } = deployment
  const ends = upgrade === null ? [deployment.package] : [upgrade.from.package, upgrade.to.package]
  const packages = ends.flatMap(digest => draft.releases.get(digest) ?? [])
  const versions = roles.flatMap(role =>
    role.instances.map(instance => {
      const spec = specOf(role, instance.spec)
      const same = packages.filter(({ identities }) => own(identities, role.name) === spec.identity)
      return [spec.version, ...same.map(({ definition }) => definition.version)]
        .flatMap(version => valid(version) ?? [])
        .toSorted(compare)
        .at(-1)
    }),
  )
  const known = versions.flatMap(version => version ?? [])
  if (known.length < versions.length) return null
  return known.toSorted(compare)[0] ?? valid(deployment.version)
}

/** May `requires` be come to from `version`? A version that cannot be compared is taken at its operator's word. */
function mayComeFrom(requires: string | null, version: string | null): boolean {
  return requires === null || version === null || satisfies(version, requires, { includePrerelease: true })
}

/** The steps between, by the packages that are here: the shortest way of versions, or null where none leads there. */
function stepsBetween(draft: Draft, from: string, to: Release): string[] | null {
  const known = [...draft.releases.values()]
    .filter(({ definition }) => definition.name === to.definition.name && valid(definition.version) !== null)
    .toSorted((a, b) => compare(b.definition.version, a.definition.version))
  const seen = new Set([from])
  let ways: string[][] = [[]]
  while (ways.length > 0) {
    const next: string[][] = []
    for (const way of ways) {
      const here = way.at(-1) ?? from
      if (way.length > 0 && mayComeFrom(to.definition.requires, here)) return way
      for (const { definition } of known) {
        const { version, requires } = definition
        // A step goes up, and not beyond where it is to lead.
        if (seen.has(version) || compare(version, here) <= 0 || isBeyond(version, to)) continue
        if (!mayComeFrom(requires, here)) continue
        seen.add(version)
        next.push([...way, version])
      }
    }
    ways = next
  }
  return null
}

function isBeyond(version: string, { definition }: Release): boolean {
  return valid(definition.version) !== null && compare(version, definition.version) >= 0
}

/** Why `release` may not follow `version`, with the step between; null where it may. */
export function pathBlocker(draft: Draft, version: string | null, release: Release): string | null {
  const { requires, version: target } = release.definition
  if (requires === null || version === null || mayComeFrom(requires, version)) return null
  const steps = stepsBetween(draft, version, release)
  const first =
    steps === null ? `a version that is ${requires} (no uploaded package leads there)` : steps.join(', then ')
  return `version ${target} asks for ${requires}, and ${version} runs: upgrade to ${first} first`
}

/** What a swap should know of versions and data; it is not stopped by them. */
export function swapWarnings(draft: Draft, production: string | null, staging: string | null): string[] {
  const [old, next] = [draft.deployments.get(production ?? ''), draft.deployments.get(staging ?? '')]
  if (old === undefined || next === undefined) return []
  const warnings: string[] = []
  const release = draft.releases.get(next.package)
  const path =
    release === undefined ? null : pathBlocker(draft, lowestVersion(draft, old, draft.rolesOf(old.id)), release)
  if (path !== null) warnings.push(path)
  if (next.breaksData) {
    warnings.push(
      `${next.version} breaks data: what it writes ${old.version} cannot read, so swapping back loses it or fails`,
    )
  }
  if (old.breaksData) {
    warnings.push(`${old.version} breaks data: ${next.version} may not be able to read what it wrote`)
  }
  return warnings
}

/** What a rollback should know: the version that is left may have written what the old one cannot read. */
export function rollbackWarning({ upgrade }: Readonly<DeploymentRecord>): string | null {
  if (upgrade === null || !upgrade.to.breaksData || upgrade.from.version === upgrade.to.version) return null
  return `${upgrade.to.version} breaks data: ${upgrade.from.version} may not be able to read what it wrote`
}
