import type { Draft } from '../draft.ts'
import { takeDown } from '../way-down.ts'
import { endOperation } from '../operations.ts'
import { roleKey } from '../keys.ts'
import { writeDomains } from '../upgrade/walked.ts'

/** Every instance of a deployment begins its way out. */
export function removeInstances(draft: Draft, id: string): void {
  const deployment = draft.deployments.edit(id)
  if (deployment === undefined) return
  const { upgrade } = deployment
  for (const operation of [upgrade?.walk ?? null, upgrade?.operation ?? null]) {
    if (upgrade === null || operation === null) continue
    writeDomains(draft, operation, upgrade)
    endOperation(draft, operation, 'Cancelled', { code: 'superseded', message: 'the deployment is being deleted' })
  }
  deployment.upgrade = null
  deployment.state = 'deleting'
  for (const { name } of draft.rolesOf(id)) {
    const role = draft.roles.edit(roleKey(id, name))
    if (role === undefined) continue
    // What was only planned no node has heard of.
    role.instances = role.instances.filter(instance => instance.stage !== 'planned')
    for (const instance of role.instances) takeDown(draft, instance, { kind: 'remove' })
  }
}

/** Forgets a deployment whose instances are gone; true once it is. */
export function forgetIfGone(draft: Draft, id: string): boolean {
  const roles = draft.rolesOf(id)
  if (roles.some(role => role.instances.length > 0)) return false
  for (const role of roles) draft.roles.delete(roleKey(id, role.name))
  const deployment = draft.deployments.get(id)
  draft.deployments.delete(id)
  const service = deployment === undefined ? undefined : draft.services.edit(deployment.service)
  if (service?.slots.production === id) service.slots.production = null
  if (service?.slots.staging === id) service.slots.staging = null
  return true
}
