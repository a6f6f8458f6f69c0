import type { Slot } from '../../model/common.ts'
import type { Configuration } from '../../model/definition.ts'
import type { Draft } from '../draft.ts'
import { beginOperation } from '../operations.ts'
import { refuse, refuseIfAny, type Blocker } from '../refusal.ts'
import { mergeConfiguration } from '../specs.ts'
import { certificateConflicts } from './conflicts.ts'
import { facesOf } from './faces.ts'

/**
 * Other certificates for a deployment: one other table, done once every proxy has it. Nothing is walked or restarted,
 * so it is taken also while the deployment is upgraded: then both ends of the walk get them.
 * `changed` names them, `role/certificate`.
 */
export function applyCertificates(
  draft: Draft,
  id: string,
  configuration: Configuration,
  changed: readonly string[],
): string {
  const deployment = draft.deployments.edit(id)
  if (deployment === undefined) refuse('deployment_not_found', `there is no deployment ${id}`)
  const { service } = deployment
  deployment.configuration = mergeConfiguration(deployment.configuration, configuration)
  if (deployment.upgrade !== null) {
    const { from, to } = deployment.upgrade
    deployment.upgrade.from = { ...from, configuration: mergeConfiguration(from.configuration, configuration) }
    deployment.upgrade.to = { ...to, configuration: mergeConfiguration(to.configuration, configuration) }
  }
  refuseIfAny(shownConflicts(draft, service))
  const slot: Slot = draft.services.get(service)?.slots.staging === id ? 'staging' : 'production'
  const operation = beginOperation(draft, {
    kind: 'configure',
    service,
    slot,
    deployments: [id],
    step: 'publishing',
    message: `certificates of ${id} in ${slot}: ${changed.join(', ')}`,
  })
  return operation.id
}

/** What speaks against the certificates that a service would show as the draft stands. */
export function shownConflicts(draft: Draft, name: string): Blocker[] {
  const service = draft.services.get(name)
  return service === undefined ? [] : certificateConflicts(draft, service, facesOf(draft, service))
}
