import { own } from '../core/own.ts'
import type { RoleDefinition } from '../model/definition.ts'
import type { Draft } from './draft.ts'
import type { Blocker } from './refusal.ts'
import type { FabricSettings, RoleRecord } from './state.ts'

type Sizes = Pick<FabricSettings, 'sizes'>

/** Cores of a role that names no size (Azure: Small). */
const DEFAULT_CORES = 1

/** Cores that one instance of a role counts. What is fronted runs elsewhere; a size no longer listed counts as none named. */
export function coresOf({ size, upstreams }: RoleDefinition, { sizes }: Sizes): number {
  if (upstreams.length > 0) return 0
  return size === null ? DEFAULT_CORES : (own(sizes, size)?.cores ?? DEFAULT_CORES)
}

/**
 * Cores that all instances over all services and both slots hold: what leaves counts no more, what is walked counts with
 * the larger of its two sizes, so that the way back is always free.
 */
export function coresInUse(draft: Draft): number {
  let cores = 0
  for (const role of draft.roles.values()) {
    const ends = own(draft.deployments.get(role.deployment)?.upgrade?.roles ?? {}, role.name)
    for (const instance of role.instances) {
      if (instance.next === 'remove') continue
      const specs = [instance.spec, instance.nextSpec, role.target, ends?.from, ends?.to]
      cores += Math.max(...specs.map(id => coresOfSpec(draft, role, id ?? null)))
    }
  }
  return cores
}

function coresOfSpec(draft: Draft, role: Readonly<RoleRecord>, id: string | null): number {
  const spec = id === null ? undefined : role.specs[id]
  return spec === undefined ? 0 : coresOf(spec.definition, draft.fabric.settings)
}

/** What speaks against the draft's instances: only what asks for more than `before` is measured against the quota. */
export function quotaBlockers(draft: Draft, before: number): Blocker[] {
  const { quota } = draft.fabric.settings
  const after = coresInUse(draft)
  if (quota === null || after <= before || after <= quota.cores) return []
  const message = `${round(after - before)} cores more are asked for, ${round(before)} of the quota of ${round(quota.cores)} are in use, ${round(Math.max(0, quota.cores - before))} are free: use fewer instances or a smaller size, delete what is not needed, or raise quota.cores in vipswap.yaml`
  return [{ code: 'quota_exceeded', message }]
}

/** Sums of fractions such as 0.1 + 0.2 shown as people write them. */
export function round(cores: number): number {
  return Math.round(cores * 100) / 100
}

/** Roles that name a size which the fabric does not list. */
export function sizeBlockers(roles: Iterable<RoleDefinition>, { sizes }: Sizes): Blocker[] {
  const listed = Object.keys(sizes)
  return [...roles]
    .filter(({ size }) => size !== null && own(sizes, size) === undefined)
    .map(({ name, size }) => ({
      code: 'unknown_size' as const,
      message: `role ${name} asks for size "${size}"; ${listed.length === 0 ? 'this fabric lists none: write `sizes` in vipswap.yaml, or leave the size out' : `this fabric lists ${listed.join(', ')} (vipswap.yaml)`}`,
    }))
}
