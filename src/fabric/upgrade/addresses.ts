import { allAcknowledged, waivedFor } from '../acknowledgements.ts'
import { addressConflicts } from '../deployment/conflicts.ts'
import { facesOf } from '../deployment/faces.ts'
import { bindingError, endpointsListened, internalListeners, listenersFor } from '../deployment/listeners.ts'
import type { Draft } from '../draft.ts'
import { refuseIfAny } from '../refusal.ts'
import type { DeploymentRecord, ListenerRecord, ServiceRecord } from '../state.ts'

/** Gives the service and the deployment the addresses of what is listened for as the draft stands. */
export function fitAddresses(draft: Draft, deployment: DeploymentRecord): void {
  const { id, service: name } = deployment
  deployment.internal = internalListeners(id, name, endpointsListened(draft, id), deployment.internal)
  const service = draft.services.edit(name)
  if (service === undefined) return
  service.listeners = listenersFor(draft, service)
  service.listeners = facesOf(draft, service)
}

/** The same, refused where another listener is in the way. */
export function claimAddresses(draft: Draft, deployment: DeploymentRecord): void {
  fitAddresses(draft, deployment)
  const service = draft.services.get(deployment.service)
  if (service !== undefined) refuseIfAny(addressConflicts(draft, service, service.listeners))
}

/** Are the new addresses of a walk bound by every proxy? `since`: the revision that asked for them. */
export function bindingOf(
  draft: Draft,
  deployment: Readonly<DeploymentRecord>,
  since: Parameters<typeof allAcknowledged>[1],
): { ready: boolean; error: string | null } {
  const service = draft.services.get(deployment.service)
  const open = [...(service === undefined ? [] : mine(draft, service, deployment)), ...deployment.internal].filter(
    ({ bound }) => bound === null,
  )
  if (open.length === 0) return { ready: true, error: null }
  // Without a proxy nobody has bound anything: wait for one.
  const waived = waivedFor(draft, deployment.id) ?? undefined
  if (draft.proxies.keys().length === 0 || !allAcknowledged(draft, since, waived)) return { ready: false, error: null }
  const keys = open.map(({ key }) => key)
  return { ready: false, error: bindingError(draft, keys) }
}

function mine(
  draft: Draft,
  { listeners }: Readonly<ServiceRecord>,
  { id }: Readonly<DeploymentRecord>,
): Readonly<ListenerRecord>[] {
  const listened = endpointsListened(draft, id)
  return listeners.filter(({ role, endpoint }) =>
    listened.some(named => named.role === role && named.endpoint.name === endpoint),
  )
}
