import { confinementOf } from './processes.ts'
import type { AssignedInstance, Assignment, FrontedInstance, RunSpec } from '../contracts/assignment.ts'
import { own } from '../core/own.ts'
import { variableName } from '../model/environment.ts'
import { frontedInstance, probingNode } from './fronted.ts'
import { specOf } from './instances.ts'
import { stayingCount } from './lookup.ts'
import { shareOfPorts } from './ports.ts'
import { type DeploymentRecord, type FabricState, processesOf, type RoleRecord } from './state.ts'
import { instanceKey } from './keys.ts'

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
