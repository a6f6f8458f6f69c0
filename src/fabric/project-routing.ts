import type { Listener, Pool, RoutingTable, Target, TlsCertificate } from '../contracts/routing.ts'
import type { Moment } from '../core/clock.ts'
import { own } from '../core/own.ts'
import type { Slot } from '../model/slot.ts'
import type { EndpointDefinition } from '../model/definition.ts'
import { elapsedMs } from './anchor.ts'
import { speechOf } from './detect-changes.ts'
import { specOf } from './instances.ts'
import { projectPause } from './pause.ts'
import { policyOf, weightOf } from './policy.ts'
import {
  type DeploymentRecord,
  type FabricState,
  type ListenerRecord,
  processesOf,
  type ProcessRecord,
  type RoleRecord,
  type RoleSpec,
} from './state.ts'
import { targetKey } from './keys.ts'
import { rolesOf } from './lookup.ts'

/** The whole routing table of a committed state. */
export function projectRouting(state: FabricState, now: Moment): RoutingTable {
  const listeners: Listener[] = []
  const pools: Record<string, Pool> = {}
  // The oldest first: on a shared address its certificate is the one shown where no name is asked for.
  const services = Object.values(state.services).toSorted(
    (a, b) => a.createdAt - b.createdAt || (a.name < b.name ? -1 : 1),
  )
  for (const service of services) {
    for (const listener of service.listeners) {
      const slot = listener.slot ?? 'production'
      const deployment = deploymentIn(state, service.slots[slot])
      const route = routeListener(state, listener, service.name, deployment, [service.hostNames[slot]])
      listeners.push({ ...route, paused: projectPause(service, slot, now) })
    }
  }
  for (const deployment of Object.values(state.deployments)) {
    if (deployment.state === 'pending') continue
    for (const listener of deployment.internal) {
      listeners.push(routeListener(state, listener, deployment.service, deployment, []))
    }
    for (const role of rolesOf(state, deployment.id)) {
      for (const pool of poolsOf(state, deployment, role, now)) pools[pool.key] = pool
    }
  }
  return {
    fabric: state.fabric.id,
    revision: state.fabric.revision,
    listeners,
    pools,
    certificates: certificatesShown(state, listeners),
    limits: state.fabric.settings.limits,
    operations: Object.values(state.operations).flatMap(({ id, status }) => (status === 'InProgress' ? [id] : [])),
  }
}

/** Only those that a listener names. */
function certificatesShown(state: FabricState, listeners: readonly Listener[]): Record<string, TlsCertificate> {
  const shown: Record<string, TlsCertificate> = {}
  for (const id of listeners.flatMap(({ tls }) => tls?.certificates ?? [])) {
    const certificate = state.certificates[id]
    if (certificate === undefined) continue
    const { chain, key, names } = certificate
    shown[id] = { id, chain, key, names }
  }
  return shown
}

function deploymentIn(state: FabricState, id: string | null): DeploymentRecord | null {
  return id === null ? null : (state.deployments[id] ?? null)
}

function routeListener(
  state: FabricState,
  listener: ListenerRecord,
  service: string,
  deployment: DeploymentRecord | null,
  hostNames: string[],
): Listener {
  const pool = deployment === null ? null : poolKey(deployment.id, listener.role, listener.endpoint)
  const exists = deployment !== null && hasEndpoint(state, deployment.id, listener)
  return {
    key: listener.key,
    service,
    slot: listener.slot,
    role: listener.role,
    endpoint: listener.endpoint,
    protocol: listener.protocol,
    tls: listener.tls,
    options: listener.options,
    host: listener.host,
    port: listener.port,
    lastPort: listener.port === 0 ? listener.bound : null,
    hostNames,
    // On its way down a deployment keeps its pool, so that what is in flight ends well, but no address leads to it.
    pool: exists && isLive(deployment) ? pool : null,
    reason: reasonOf(listener.slot, deployment, exists),
  }
}

function reasonOf(slot: Slot | null, deployment: DeploymentRecord | null, exists: boolean): string | null {
  if (deployment === null) return `the ${slot ?? 'internal'} slot is empty`
  if (deployment.state === 'suspended' || deployment.state === 'suspending') return 'the deployment is suspended'
  if (deployment.state === 'deleting') return 'the deployment is being deleted'
  if (!exists) return `deployment ${deployment.id} does not have this endpoint`
  return null
}

function isLive({ state }: DeploymentRecord): boolean {
  return state !== 'suspending' && state !== 'suspended' && state !== 'deleting'
}

function hasEndpoint(state: FabricState, deployment: string, listener: ListenerRecord): boolean {
  const role = state.roles[`${deployment}/${listener.role}`]
  if (role === undefined) return false
  return endpointsOf(state.deployments[deployment] ?? null, role).some(({ name }) => name === listener.endpoint)
}

/** What a role's instances may be asked for now: while it is walked the endpoints of both ends, of one name the newer. */
function endpointsOf(deployment: DeploymentRecord | null, role: RoleRecord): EndpointDefinition[] {
  const ends = own(deployment?.upgrade?.roles ?? {}, role.name)
  const endpoints: EndpointDefinition[] = []
  for (const id of ends === undefined ? [role.target] : [role.target, ends.to, ends.from]) {
    for (const endpoint of specOf(role, id).definition.endpoints)
      if (endpoints.every(({ name }) => name !== endpoint.name)) endpoints.push(endpoint)
  }
  return endpoints
}

/** The name under which a spec serves an endpoint: its own, or the one it has on the same port since a renaming. */
function servedAs({ definition }: RoleSpec, endpoint: EndpointDefinition): string | null {
  const { endpoints } = definition
  if (endpoints.some(({ name }) => name === endpoint.name)) return endpoint.name
  if (endpoint.internal || endpoint.port === 0) return null
  const same = endpoints.find(
    other => !other.internal && other.port === endpoint.port && speechOf(other) === speechOf(endpoint),
  )
  return same?.name ?? null
}

/** Is the endpoint one that the running walk brings, or takes back? */
function isNewIn(deployment: DeploymentRecord, role: RoleRecord, { name }: EndpointDefinition): boolean {
  const { upgrade } = deployment
  if (upgrade === null) return false
  if (upgrade.added.includes(role.name)) return true
  const ends = own(upgrade.roles, role.name)
  return ends !== undefined && specOf(role, ends.from).definition.endpoints.every(before => before.name !== name)
}

function poolKey(deployment: string, role: string, endpoint: string): string {
  return `${deployment}/${role}/${endpoint}`
}

function* poolsOf(state: FabricState, deployment: DeploymentRecord, role: RoleRecord, now: Moment): Iterable<Pool> {
  const { definition } = specOf(role, role.target)
  const live = isLive(deployment)
  for (const endpoint of endpointsOf(deployment, role)) {
    const targets: Target[] = []
    for (const instance of role.instances.flatMap(processesOf)) {
      const spec = specOf(role, instance.spec)
      const port = instance.published?.ports[servedAs(spec, endpoint) ?? '']
      if (instance.published === null || port === undefined) continue
      const common = {
        key: targetKey(deployment.id, instance),
        instance: instance.id,
        version: spec.version,
        host: instance.published.host,
        port,
        weight: weightOf(definition, instance.index),
      }
      if (instance.published.membership === 'in') targets.push({ ...common, state: 'in' })
      else if (instance.stage !== 'draining') targets.push({ ...common, state: 'draining' })
      else {
        const left = Math.max(0, spec.definition.drainTimeoutMs - elapsedMs(instance.anchor, now))
        targets.push({ ...common, state: 'draining', drainMs: Math.round(left) })
      }
    }
    yield {
      key: poolKey(deployment.id, role.name, endpoint.name),
      service: deployment.service,
      deployment: deployment.id,
      role: role.name,
      endpoint: endpoint.name,
      policy: policyOf(definition, endpoint, state.fabric.settings),
      targets,
      // An endpoint that an upgrade adds answers 503 until an instance is ready: nobody calls it yet.
      expecting:
        live &&
        role.instances.flatMap(processesOf).some(process => isExpected(role, process, endpoint)) &&
        (!isNewIn(deployment, role, endpoint) || targets.some(target => target.state === 'in')),
      drainTimeoutMs: definition.drainTimeoutMs,
    }
  }
}

/** Ready now or on its way to be, with this endpoint: worth holding a request for. */
function isExpected(role: RoleRecord, instance: ProcessRecord, endpoint: EndpointDefinition): boolean {
  if (instance.hopeless || instance.published?.membership === 'aside') return false
  const spec = specOf(role, instance.next === 'restart' ? (instance.nextSpec ?? instance.spec) : instance.spec)
  if (servedAs(spec, endpoint) === null) return false
  if (instance.stage === 'starting' || instance.stage === 'serving' || instance.stage === 'planned') return true
  return instance.next === 'restart'
}
