import type { InstanceObservation } from '../../contracts/assignment.ts'
import type { InstanceView } from '../../contracts/api/instance.ts'
import { probingNode } from '../../fabric/fronted.ts'
import { specOf } from '../../fabric/instances.ts'
import { processesOf, type FabricState, type InstanceRecord, type RoleRecord } from '../../fabric/state.ts'
import { instanceKey, targetKey } from '../../fabric/keys.ts'
import type { InstanceStatus, Membership } from '../../model/states.ts'

/** One role instance as operators see it, in Azure's words. */
export function viewInstance(state: FabricState, role: RoleRecord, instance: InstanceRecord): InstanceView {
  const home = instance.node === '' ? probingNode(Object.values(state.nodes)) : instance.node
  const node = state.observed.nodes[home]
  const seen = node?.instances[instanceKey(role.deployment, instance)]
  return {
    id: instance.id,
    role: role.name,
    version: specOf(role, instance.spec).version,
    status: statusOf(instance, seen, node?.online ?? false),
    upgradeDomain: instance.upgradeDomain,
    faultDomain: instance.faultDomain,
    node: instance.node,
    routing: routingOf(instance),
    inFlight: processesOf(instance).reduce((sum, each) => sum + inFlightOn(state, targetKey(role.deployment, each)), 0),
    restarts: seen?.restarts ?? 0,
    pid: seen?.pid ?? null,
    drained: instance.drained === true,
    localStorage: specOf(role, instance.spec).definition.localStorage.flatMap(({ name, sizeBytes }) => {
      const bytes = seen?.storage?.[name]
      return bytes === undefined ? [] : [{ name, bytes, sizeBytes }]
    }),
    detail: `${instance.node === '' ? 'not run here; ' : ''}${detailOf(state, home, instance, seen, node?.online ?? false)}`,
  }
}

/** What the table says of it, or of what stands beside it until it is ready. */
function routingOf(instance: InstanceRecord): Membership {
  const memberships = processesOf(instance).map(({ published }) => published?.membership)
  if (memberships.includes('in')) return 'in'
  return memberships.every(membership => membership === undefined) ? 'out' : 'draining'
}

/** Requests and tunnels in flight on a target, over all proxies, as last reported. */
function inFlightOn(state: FabricState, target: string): number {
  return Object.values(state.observed.proxies).reduce((sum, proxy) => sum + (proxy.status?.inFlight[target] ?? 0), 0)
}

function statusOf(instance: InstanceRecord, seen: InstanceObservation | undefined, online: boolean): InstanceStatus {
  switch (instance.stage) {
    case 'planned':
      return 'StartingRole'
    case 'stopped':
      return 'StoppedVM'
    case 'draining':
    case 'retiring':
    case 'stopping':
      return 'StoppingRole'
    case 'starting':
    case 'serving':
      break
  }
  if (seen === undefined || !online) return instance.stage === 'starting' ? 'StartingRole' : 'RoleStateUnknown'
  if (seen.incarnation !== instance.incarnation) return 'StartingRole'
  switch (seen.state) {
    case 'ready':
      return 'ReadyRole'
    case 'unresponsive':
      return 'UnresponsiveRole'
    case 'cycling':
      return 'CyclingRole'
    case 'failed':
      return 'FailedStartingRole'
    case 'preparing':
    case 'starting':
    case 'backoff':
      return instance.hopeless ? 'CyclingRole' : 'StartingRole'
    case 'stopping':
      return 'StoppingRole'
    case 'stopped':
      return 'StoppedVM'
  }
}

function detailOf(
  state: FabricState,
  home: string,
  instance: InstanceRecord,
  seen: InstanceObservation | undefined,
  online: boolean,
): string {
  if (state.nodes[home] === undefined) return home === '' ? 'no node probes it' : `node ${home} is not known`
  if (!online) return `node ${home} is not connected`
  switch (instance.stage) {
    case 'planned':
      return 'waits for its addresses, its package, or its upgrade domain'
    case 'draining':
      return 'finishes what it has'
    case 'retiring':
      return 'waits until every proxy has taken it out of the table'
    case 'starting':
      if (instance.beside !== undefined)
        return `${seen?.detail ?? 'waits for its node'}; the one before it serves until then, and keeps its folders: HOME and TMPDIR of this one began empty`
      return seen?.detail ?? 'waits for its node'
    case 'serving':
      if (instance.drained === true) return 'drained by an operator: it runs and is not chosen'
      return seen?.detail ?? 'waits for its node'
    case 'stopping':
    case 'stopped':
      return seen?.detail ?? 'waits for its node'
  }
}
