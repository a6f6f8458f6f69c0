import type { VerifyTarget } from '../../contracts/task.ts'
import type { Slot } from '../../model/slot.ts'
import type { RoleDefinition } from '../../model/definition.ts'
import type { Release } from '../../model/release.ts'
import { verifyProbesOf, type VerifyProbe } from '../../model/role-traffic.ts'
import type { Draft } from '../draft.ts'
import { specOf } from '../instances.ts'
import { refuse } from '../refusal.ts'
import type { DeploymentRecord, ServiceRecord } from '../state.ts'

/** Requests for each instance, so that each of them sees its first 500 for all that balancing is even. */
const PER_INSTANCE = 650
const AT_MOST = 10_000

/** Definitions of a deployment's roles, as their new instances are to run. */
export function definitionsOf(draft: Draft, deployment: string): RoleDefinition[] {
  return draft.rolesOf(deployment).map(role => specOf(role, role.target).definition)
}

/** Refuses what `--verify` could send nothing to. */
export function requireProbes(draft: Draft, deployment: Readonly<DeploymentRecord>, release: Release | null): void {
  const roles = release === null ? definitionsOf(draft, deployment.id) : Object.values(release.definition.roles)
  if (roles.some(role => reachable(role).length > 0)) return
  refuse(
    'change_not_allowed',
    'there is nothing to verify by: give a role with an http or https endpoint a `probe: { path }`, or `verify:`',
  )
}

function reachable(role: RoleDefinition): readonly VerifyProbe[] {
  return verifyProbesOf(role).filter(probe =>
    role.endpoints.some(
      ({ name, protocol, internal, clientAuth }) =>
        name === probe.endpoint && protocol !== 'tcp' && !internal && clientAuth?.required !== true,
    ),
  )
}

const sameProbe = (a: VerifyProbe, b: VerifyProbe): boolean => JSON.stringify(a) === JSON.stringify(b)

/**
 * Where the probe traffic of a slot goes, and what: what `roles` name, and where `also` is given only what that names too
 * (while two versions serve, what only one of them knows would fail by itself). `enough`: how much a phase wants;
 * `each` is for as many as the instances of the role may hit a fault that only one request in 500 meets.
 */
export function targetsOf(
  draft: Draft,
  { service, slot, deployment }: { service: Readonly<ServiceRecord>; slot: Slot; deployment: string },
  roles: readonly RoleDefinition[],
  also: readonly RoleDefinition[] | null,
  enough: 'few' | 'each',
): VerifyTarget[] {
  return service.listeners.flatMap((listener): VerifyTarget[] => {
    if (listener.slot !== slot || listener.bound === null) return []
    const role = roles.find(({ name }) => name === listener.role)
    if (role === undefined) return []
    const known = also?.find(({ name }) => name === listener.role)
    const probes = reachable(role)
      .filter(probe => probe.endpoint === listener.endpoint)
      .filter(probe => also === null || (known !== undefined && reachable(known).some(one => sameProbe(one, probe))))
    if (probes.length === 0) return []
    const instances = draft.rolesOf(deployment).find(({ name }) => name === listener.role)?.instances.length ?? 1
    return [
      {
        origin: `${listener.protocol}://${dialled(listener.host)}:${listener.bound}`,
        host: service.hostNames[slot],
        probes,
        atLeast: enough === 'few' ? 50 : Math.min(AT_MOST, PER_INSTANCE * Math.max(1, instances)),
      },
    ]
  })
}

/** An address that listens everywhere is called by loopback. */
function dialled(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  if (host === '::') return '[::1]'
  return host.includes(':') ? `[${host}]` : host
}
