import type { Configuration } from '../../model/definition.ts'
import { own } from '../../core/own.ts'
import { certificateNotes, knownTo } from '../certificates.ts'
import type { Draft } from '../draft.ts'
import { slotOf } from '../lookup.ts'
import { beginOperation } from '../operations.ts'
import { refuse, refuseIfAny, type Blocker } from '../refusal.ts'
import { mergeConfiguration } from '../specs.ts'
import type { DeploymentRecord } from '../state.ts'
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
  const before = idsOf(draft, id)
  const { service } = adoptConfiguration(draft, id, configuration)
  refuseIfAny(shownConflicts(draft, service))
  const slot = slotOf(draft, { id, service })
  const operation = beginOperation(draft, {
    kind: 'configure',
    service,
    slot,
    deployments: [id],
    step: 'publishing',
    message: `certificates of ${id} in ${slot}: ${changed.join(', ')}`,
  })
  // Ids tell certificates apart and give nothing of them away.
  const after = idsOf(draft, id)
  for (const name of changed) {
    operation.from[name] = own(before, name) ?? null
    operation.to[name] = own(after, name) ?? null
  }
  return operation.id
}

/** Writes what is changed at once into a deployment's configuration; while it is walked, into both ends of the walk. */
export function adoptConfiguration(draft: Draft, id: string, configuration: Configuration): Readonly<DeploymentRecord> {
  const deployment = draft.deployments.edit(id)
  if (deployment === undefined) refuse('deployment_not_found', `there is no deployment ${id}`)
  deployment.configuration = mergeConfiguration(deployment.configuration, configuration)
  if (deployment.upgrade !== null) {
    const { from, to } = deployment.upgrade
    deployment.upgrade.from = { ...from, configuration: mergeConfiguration(from.configuration, configuration) }
    deployment.upgrade.to = { ...to, configuration: mergeConfiguration(to.configuration, configuration) }
  }
  return deployment
}

/** `role/certificate` → id, of all that a deployment has. */
function idsOf(draft: Draft, id: string): Record<string, string> {
  const deployment = draft.deployments.get(id)
  if (deployment === undefined) return {}
  return Object.fromEntries(
    draft
      .rolesOf(id)
      .flatMap(role =>
        certificateNotes(knownTo(draft), deployment, role, draft.now.wall).map(({ name, certificate }) => [
          `${role.name}/${name}`,
          certificate.id,
        ]),
      ),
  )
}

/** What speaks against the certificates that a service would show as the draft stands. */
export function shownConflicts(draft: Draft, name: string): Blocker[] {
  const service = draft.services.get(name)
  return service === undefined ? [] : certificateConflicts(draft, service, facesOf(draft, service))
}
