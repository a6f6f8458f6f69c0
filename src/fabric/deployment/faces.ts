import type { ListenerOptions, ListenerTls } from '../../contracts/routing.ts'
import { own } from '../../core/own.ts'
import { samePlain } from '../../core/plain.ts'
import type { EndpointDefinition } from '../../model/definition.ts'
import { certificatesOfEndpoint, knownTo } from '../certificates.ts'
import type { Draft } from '../draft.ts'
import { specOf } from '../instances.ts'
import type { DeploymentRecord, ListenerRecord, RoleRecord, ServiceRecord } from '../state.ts'
import { roleKey } from '../keys.ts'

interface Face {
  tls: ListenerTls | null
  options: ListenerOptions
}

/**
 * A service's addresses with what they show now: TLS and options come from the deployment in the slot, and stay as they
 * were last where it is empty. A slot that has held none yet shows what the other one does.
 */
export function facesOf(draft: Draft, service: Readonly<ServiceRecord>): ListenerRecord[] {
  return service.listeners.map(listener => {
    if (listener.slot === null) return listener
    const shown = faceIn(draft, service.slots[listener.slot], listener)
    if (shown !== null) return { ...listener, ...shown, lent: false }
    if (!listener.lent) return listener
    const other = faceIn(draft, service.slots[listener.slot === 'staging' ? 'production' : 'staging'], listener)
    return other === null ? listener : { ...listener, ...other }
  })
}

/** Takes into the addresses what the deployments behind them say by now. */
export function adoptFaces(draft: Draft): void {
  for (const service of draft.services.values()) {
    const listeners = facesOf(draft, service)
    if (!differ(listeners, service.listeners)) continue
    const record = draft.services.edit(service.name)
    if (record !== undefined) record.listeners = listeners
  }
  for (const deployment of draft.deployments.values()) {
    if (deployment.internal.length === 0) continue
    const internal = deployment.internal.map(listener => ({ ...listener, ...faceIn(draft, deployment.id, listener) }))
    if (!differ(internal, deployment.internal)) continue
    const record = draft.deployments.edit(deployment.id)
    if (record !== undefined) record.internal = internal
  }
}

function differ(a: readonly Readonly<ListenerRecord>[], b: readonly Readonly<ListenerRecord>[]): boolean {
  return !samePlain(a, b)
}

/** What a deployment wants shown at an address; null where it has no such endpoint. */
function faceIn(draft: Draft, id: string | null, listener: Readonly<ListenerRecord>): Face | null {
  const deployment = draft.deployments.get(id ?? '')
  const role = draft.roles.get(roleKey(id ?? '', listener.role))
  if (deployment === undefined || role === undefined) return null
  const { endpoints } = specOf(role, role.target).definition
  const endpoint = endpoints.find(({ name }) => name === listener.endpoint)
  if (endpoint === undefined || endpoint.protocol !== listener.protocol) return null
  const { http2, proxyProtocol, forwarded, serverTiming } = endpoint
  const maxBodyBytes = endpoint.protocol === 'tcp' ? null : limitOf(draft, endpoint)
  const options = { http2, proxyProtocol, forwarded, maxBodyBytes, ...(serverTiming === true ? { serverTiming } : {}) }
  if (endpoint.protocol !== 'https') return { tls: null, options }
  const tls = tlsOf(draft, deployment, role, endpoint)
  return tls === null ? null : { tls, options }
}

function limitOf(draft: Draft, { maxBodyBytes }: EndpointDefinition): number | null {
  return maxBodyBytes ?? draft.fabric.settings.endpointDefaults.maxBodyBytes
}

function tlsOf(
  draft: Draft,
  deployment: Readonly<DeploymentRecord>,
  role: Readonly<RoleRecord>,
  endpoint: EndpointDefinition,
): ListenerTls | null {
  const certificates = certificatesOfEndpoint(knownTo(draft), deployment, role, endpoint).map(({ id }) => id)
  if (certificates.length === 0) return null
  const release = draft.releases.get(specOf(role, role.target).package)
  const ca = own(own(release?.authorities ?? {}, role.name) ?? {}, endpoint.name)
  const { clientAuth } = endpoint
  // Without the authorities the address would ask nobody for a certificate: rather it stays as it was.
  if (clientAuth !== null && ca === undefined) return null
  return {
    certificates: [...new Set(certificates)],
    clientAuth: clientAuth === null || ca === undefined ? null : { ca, required: clientAuth.required },
  }
}
