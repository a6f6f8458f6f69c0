import type { FrontedInstance, InstanceObservation } from '../contracts/assignment.ts'
import type { Draft } from './draft.ts'
import type { NodeRecord, ProcessRecord, RoleRecord, RoleSpec } from './state.ts'
import { instanceKey } from './keys.ts'

/** Which node's agent asks after what is not ours to run: the first that is not lost; '' where there is none. */
export function probingNode(nodes: Iterable<Readonly<NodeRecord>>): string {
  let first: Readonly<NodeRecord> | null = null
  for (const node of nodes) if (node.lost !== true && (first === null || node.index < first.index)) first = node
  return first?.name ?? ''
}

/** What an agent is to ask after; null for one of our own, or one that is not wanted now. */
export function frontedInstance(
  role: Readonly<RoleRecord>,
  instance: Readonly<ProcessRecord>,
  { definition, version }: RoleSpec,
): FrontedInstance | null {
  const address = definition.upstreams[instance.index]
  if (instance.node !== '' || address === undefined) return null
  if (instance.stage === 'planned' || instance.stage === 'stopping' || instance.stage === 'stopped') return null
  const colon = address.lastIndexOf(':')
  const port = Number(address.slice(colon + 1))
  return {
    key: instanceKey(role.deployment, instance),
    incarnation: instance.incarnation,
    version,
    // As a socket takes it: [::1] without its brackets.
    host: address.slice(0, colon).replace(/^\[(.*)\]$/, '$1'),
    ports: Object.fromEntries(definition.endpoints.map(({ name }) => [name, port])),
    backend: definition.endpoints[0]?.backend ?? 'h1',
    probe: definition.probe,
  }
}

/** Where there is no node nobody can ask: what others run is taken for ready. */
export function unasked(
  draft: Pick<Draft, 'nodes'>,
  role: Readonly<RoleRecord>,
  instance: Readonly<ProcessRecord>,
): InstanceObservation | null {
  const spec = role.specs[instance.spec]
  if (spec === undefined || instance.node !== '' || probingNode(draft.nodes.values()) !== '') return null
  const asked = frontedInstance(role, instance, spec)
  if (asked === null) return null
  const { key, incarnation, version, host, ports } = asked
  return {
    key,
    incarnation,
    version,
    host,
    ports,
    attempt: 1,
    state: 'ready',
    pid: null,
    restarts: 0,
    since: 0,
    detail: '',
  }
}
