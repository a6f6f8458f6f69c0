import { DEFAULT_POLICY, type PoolPolicy } from '../contracts/routing.ts'
import type { EndpointDefinition, RoleDefinition } from '../model/definition.ts'
import type { FabricSettings } from './state.ts'

/** How an endpoint's instances are chosen and spoken to: what its role and itself say, else the fabric. */
export function policyOf(
  role: RoleDefinition,
  endpoint: EndpointDefinition,
  { limits, endpointDefaults }: Pick<FabricSettings, 'limits' | 'endpointDefaults'>,
): PoolPolicy {
  const { timeouts } = endpoint
  const ejection = endpointDefaults.ejection ?? DEFAULT_POLICY.ejection
  const written = role.ejection !== null && Object.keys(role.ejection).length > 0
  return {
    backend: endpoint.backend,
    balancing: role.balancing,
    // A cookie needs requests: beside http endpoints a tcp one goes without.
    affinity: endpoint.protocol === 'tcp' && role.affinity === 'cookie' ? 'none' : role.affinity,
    slowStartMs: role.slowStartMs,
    maxConcurrent: role.maxConcurrent,
    maxQueue: role.maxQueue,
    ejection:
      role.ejection === null || ejection === null || (endpointDefaults.ejection === null && !written)
        ? null
        : { ...ejection, ...role.ejection },
    connectTimeoutMs: timeouts.connectMs ?? limits.connectTimeoutMs,
    responseTimeoutMs: timeouts.responseMs ?? limits.responseTimeoutMs,
    idleTimeoutMs: timeouts.idleMs ?? limits.idleTimeoutMs,
  }
}

/** Share of an instance relative to others. */
export function weightOf(role: RoleDefinition, index: number): number {
  return role.weights[index] ?? 1
}
