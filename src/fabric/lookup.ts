import type { Slot } from '../model/slot.ts'
import type { Draft } from './draft.ts'
import { refuse } from './refusal.ts'
import type { DeploymentRecord, FabricState, RoleRecord, ServiceRecord } from './state.ts'

/** The service of a name; refuses with `service_not_found`, naming the known ones. */
export function requireService(draft: Draft, name: string): Readonly<ServiceRecord> {
  const service = draft.services.get(name)
  if (service !== undefined) return service
  const known = draft.services.keys()
  refuse(
    'service_not_found',
    `there is no service "${name}"; ${known.length === 0 ? 'none exists yet: `vipswap deploy PACKAGE` creates one' : `known: ${known.join(', ')}`}`,
  )
}

/** The deployment in a slot; refuses with `slot_empty`. */
export function requireDeployment(draft: Draft, service: string, slot: Slot): Readonly<DeploymentRecord> {
  const id = requireService(draft, service).slots[slot]
  const deployment = id === null ? undefined : draft.deployments.get(id)
  if (deployment !== undefined) return deployment
  refuse('slot_empty', `the ${slot} slot of ${service} is empty: \`vipswap deploy PACKAGE --slot ${slot}\` fills it`)
}

/** Indices below `count` that no instance of a role has. */
export function missingIndices({ instances }: Readonly<RoleRecord>, count: number): number[] {
  const there = new Set(instances.map(({ index }) => index))
  return Array.from({ length: count }, (_, index) => index).filter(index => !there.has(index))
}

/** How many instances a role has, without those on their way out. */
export function stayingCount({ instances }: Pick<RoleRecord, 'instances'>): number {
  return instances.filter(({ next }) => next !== 'remove').length
}

/** The slot that a deployment is in; production for one that is in none yet. */
export function slotOf(
  draft: Pick<Draft, 'services'>,
  { id, service }: Pick<DeploymentRecord, 'id' | 'service'>,
): Slot {
  return draft.services.get(service)?.slots.staging === id ? 'staging' : 'production'
}

export function rolesOf(state: FabricState, deployment: string): RoleRecord[] {
  const prefix = `${deployment}/`
  return Object.keys(state.roles)
    .filter(key => key.startsWith(prefix))
    .toSorted()
    .flatMap(key => state.roles[key] ?? [])
}
