import type { AssignedInstance, Assignment, FrontedInstance, RunSpec } from '../contracts/assignment.ts'
import type { Listener, Pool, RoutingTable, Target, TlsCertificate } from '../contracts/routing.ts'
import type { Moment } from '../core/clock.ts'
import { own } from '../core/own.ts'
import type { Slot } from '../model/slot.ts'
import type { EndpointDefinition } from '../model/definition.ts'
import { variableName } from '../model/environment.ts'
import { elapsedMs } from './anchor.ts'
import { afterDueInMs } from './around.ts'
import { speechOf } from './detect-changes.ts'
import { frontedInstance, probingNode } from './fronted.ts'
import { dueInMs, specOf } from './instances.ts'
import { nodeDueInMs } from './nodes.ts'
import { pauseDueInMs, projectPause } from './pause.ts'
import { policyOf, weightOf } from './policy.ts'
import { stayingCount } from './lookup.ts'
import { shareOfPorts } from './ports.ts'
import { confinementOf } from './processes.ts'
import { isHeld } from './recovery.ts'
import {
  instanceKey,
  processesOf,
  targetKey,
  type DeploymentRecord,
  type FabricState,
  type ListenerRecord,
  type ProcessRecord,
  type RoleRecord,
  type RoleSpec,
} from './state.ts'
import { reportDueInMs } from './health/report.ts'
import { upgradeDueInMs } from './upgrade/clocks.ts'

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

export function rolesOf(state: FabricState, deployment: string): RoleRecord[] {
  const prefix = `${deployment}/`
  return Object.keys(state.roles)
    .filter(key => key.startsWith(prefix))
    .toSorted()
    .flatMap(key => state.roles[key] ?? [])
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

/** The newest operation in progress on each deployment. */
function operationsByDeployment({ operations }: FabricState): Map<string, string> {
  const running = Object.values(operations)
    .filter(({ status }) => status === 'InProgress')
    .toSorted((a, b) => Number(a.id.slice(3)) - Number(b.id.slice(3)))
  return new Map(running.flatMap(({ id, deployments }) => deployments.map(deployment => [deployment, id] as const)))
}

/** What each node should run, whole; a node without instances gets an empty assignment. */
export function projectAssignments(state: FabricState): Record<string, Assignment> {
  const byNode: Record<string, AssignedInstance[]> = {}
  const fronted: FrontedInstance[] = []
  const prober = probingNode(Object.values(state.nodes))
  const wanted: Record<string, Set<string>> = {}
  for (const name of Object.keys(state.nodes)) {
    byNode[name] = []
    wanted[name] = new Set()
  }
  const peers: Record<string, Record<string, number>> = {}
  // By name: the same text whatever order the journal gives them back in.
  for (const key of Object.keys(state.roles).toSorted()) {
    const role = state.roles[key]
    if (role === undefined) continue
    const told = (peers[role.deployment] ??= {})
    told[role.name] = stayingCount(role)
  }
  const working = operationsByDeployment(state)
  for (const role of Object.values(state.roles)) {
    const deployment = state.deployments[role.deployment]
    if (deployment === undefined) continue
    const operation = working.get(role.deployment)
    const variables = internalVariables(deployment)
    // One for all that run the same: a role may have thousands of instances.
    const specs = new Map<string, RunSpec>()
    const specFor = (id: string): RunSpec => {
      const known = specs.get(id) ?? runSpec(state, role, id, variables)
      specs.set(id, known)
      return known
    }
    for (const instance of role.instances.flatMap(processesOf)) {
      const asked = frontedInstance(role, instance, specOf(role, instance.spec))
      if (asked !== null) fronted.push(asked)
      const instances = byNode[instance.node]
      if (instances === undefined) continue
      for (const id of [instance.spec, instance.nextSpec ?? instance.spec, role.target]) {
        wanted[instance.node]?.add(specOf(role, id).package)
      }
      // Both ends of a walk stay at hand: it may turn round.
      const ends = own(deployment.upgrade?.roles ?? {}, role.name)
      for (const id of ends === undefined ? [] : [ends.from, ends.to]) {
        wanted[instance.node]?.add(specOf(role, id).package)
      }
      if (instance.stage === 'planned') continue
      instances.push({
        key: instanceKey(role.deployment, instance),
        service: deployment.service,
        deployment: role.deployment,
        role: role.name,
        instance: instance.id,
        index: instance.index,
        incarnation: instance.incarnation,
        desired: instance.stage === 'stopping' || instance.stage === 'stopped' ? 'stop' : 'run',
        ...(operation === undefined ? {} : { operation }),
        clean: instance.clean,
        upgradeDomain: instance.upgradeDomain,
        faultDomain: instance.faultDomain,
        peers: peers[role.deployment] ?? {},
        spec: specFor(instance.spec),
      })
    }
  }
  const assignments: Record<string, Assignment> = {}
  for (const node of Object.values(state.nodes)) {
    assignments[node.name] = {
      fabric: state.fabric.id,
      revision: state.fabric.revision,
      node: node.name,
      instances: byNode[node.name] ?? [],
      fronted: node.name === prober ? fronted : [],
      packages: [...(wanted[node.name] ?? [])].toSorted(),
      portRange: shareOfPorts(state.fabric.settings.portRange, node.index),
    }
  }
  return assignments
}

function runSpec(state: FabricState, role: RoleRecord, id: string, internalEndpoints: Record<string, string>): RunSpec {
  const { definition, ...spec } = specOf(role, id)
  return {
    id: spec.id,
    package: spec.package,
    path: definition.path,
    version: spec.version,
    command: definition.command ?? [],
    startup: definition.startup,
    endpoints: definition.endpoints.map(({ name, protocol, backend }) => ({ name, protocol, backend })),
    probe: definition.probe,
    settings: spec.settings,
    ...(definition.secrets === undefined ? {} : { secrets: definition.secrets }),
    ...(definition.settingsReload === undefined ? {} : { settingsReload: definition.settingsReload }),
    env: definition.env,
    internalEndpoints,
    localStorage: definition.localStorage,
    ...confinementOf(definition, state.fabric.settings),
    startTimeoutMs: definition.startTimeoutMs,
    stopTimeoutMs: definition.stopTimeoutMs,
  }
}

/** `ENDPOINT_<ROLE>_<NAME>` of a deployment's internal endpoints that are bound. */
function internalVariables(deployment: DeploymentRecord): Record<string, string> {
  const variables: Record<string, string> = {}
  for (const { role, endpoint, host, bound } of deployment.internal) {
    if (bound !== null) variables[variableName('ENDPOINT', role, endpoint)] = `${host}:${bound}`
  }
  return variables
}

/**
 * Milliseconds until a clock in the state is due, or null; always more than 0. `now` is the moment of the last `apply`:
 * what was due then has been looked at.
 */
export function projectWakeIn(state: FabricState, now: Moment): number | null {
  if (isHeld(state)) return null
  let due: number | null = null
  const consider = (ms: number | null): void => {
    if (ms !== null && (due === null || ms < due)) due = ms
  }
  for (const role of Object.values(state.roles)) {
    for (const instance of role.instances.flatMap(processesOf)) consider(dueInMs({ now }, role, instance))
  }
  consider(nodeDueInMs(state, now))
  for (const deployment of Object.values(state.deployments)) {
    consider(upgradeDueInMs(deployment, now))
  }
  for (const service of Object.values(state.services)) consider(pauseDueInMs(service, now))
  for (const aftermath of Object.values(state.aftermaths)) consider(afterDueInMs(aftermath, now))
  for (const record of Object.values(state.health)) consider(reportDueInMs(record, now))
  return due
}
