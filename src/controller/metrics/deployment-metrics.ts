import type { Registry } from 'prom-client'
import type { Clock } from '../../core/clock.ts'
import { certificateNotes, knownIn } from '../../fabric/certificates.ts'
import { Draft } from '../../fabric/draft.ts'
import { lockedBy } from '../../fabric/admit.ts'
import { rolesOf } from '../../fabric/lookup.ts'
import type { DeploymentRecord, FabricState } from '../../fabric/state.ts'
import { SLOTS } from '../../model/slot.ts'
import { HEALTH_STATES } from '../../model/states.ts'
import { viewUpgrade } from '../views/deployment-view.ts'
import { viewHealth } from '../views/health-view.ts'
import { addSeries, type Put } from './series.ts'

const PLACE = ['service', 'slot'] as const
type Place = Record<(typeof PLACE)[number], string>

/** What is in the slots, and how far a walk is. Series end with the deployment. */
export function addDeploymentMetrics(registry: Registry, read: () => FabricState, clock: Clock): void {
  const gauge = <L extends string>(
    name: string,
    help: string,
    labels: readonly L[],
    collect: (put: Put<L | 'service' | 'slot'>, place: Place, deployment: DeploymentRecord) => void,
  ): void =>
    addSeries(registry, { type: 'gauge', name, help, labels: [...PLACE, ...labels] }, put => {
      for (const { place, deployment } of occupied(read())) collect(put, place, deployment)
    })
  // A whole view rehearses each verb: far more than these need, and than a scrape may cost.
  const walking = (deployment: DeploymentRecord) =>
    deployment.upgrade === null
      ? undefined
      : viewUpgrade(read(), deployment, deployment.upgrade, rolesOf(read(), deployment.id), clock.now())

  gauge(
    'vipswap_deployment_info',
    '1 for what is in a slot',
    ['deployment', 'version'],
    (put, place, { id, version }) => put({ ...place, deployment: id, version }, 1),
  )
  gauge(
    'vipswap_deployment_locked',
    '1 while hardly any operation is taken; ends soon and by itself',
    [],
    (put, place, deployment) => put(place, lockedBy(new Draft(read(), clock.now()), deployment) === null ? 0 : 1),
  )
  gauge(
    'vipswap_deployment_health_state',
    '1 for the state that the health of a deployment is in',
    ['state'],
    (put, place, deployment) => {
      const health = viewHealth(read(), deployment, clock.now())
      for (const state of HEALTH_STATES) put({ ...place, state }, health.state === state ? 1 : 0)
    },
  )
  gauge(
    'vipswap_upgrade_info',
    '1 while an upgrade, a change of settings or a rollback walks',
    ['mode', 'direction', 'from_version', 'to_version'],
    (put, place, deployment) => {
      const status = walking(deployment)
      if (status === undefined) return
      const { mode, direction, fromVersion, toVersion } = status
      put({ ...place, mode, direction, from_version: fromVersion, to_version: toVersion }, 1)
    },
  )
  gauge(
    'vipswap_upgrade_domain_state',
    '1 for the state that a domain of a walk is in',
    ['domain', 'state'],
    (put, place, deployment) => {
      for (const { domain, state } of walking(deployment)?.domains ?? []) {
        put({ ...place, domain: String(domain), state }, 1)
      }
    },
  )
  gauge(
    'vipswap_upgrade_stuck_instances',
    'Instances without which a walk that waits for ever does not go on',
    [],
    (put, place, deployment) => {
      const status = walking(deployment)
      if (status !== undefined) put(place, status.stuck?.length ?? 0)
    },
  )
  gauge(
    'vipswap_tls_cert_not_after_timestamp_seconds',
    'When a certificate in use expires',
    ['role', 'certificate'],
    (put, place, deployment) => {
      const state = read()
      for (const role of rolesOf(state, deployment.id)) {
        for (const { name, certificate } of certificateNotes(knownIn(state), deployment, role, clock.now().wall)) {
          put({ ...place, role: role.name, certificate: name }, certificate.notAfter / 1000)
        }
      }
    },
  )
}

function occupied(state: FabricState): { place: Place; deployment: DeploymentRecord }[] {
  return Object.values(state.services).flatMap(service =>
    SLOTS.flatMap(slot => {
      const deployment = state.deployments[service.slots[slot] ?? '']
      return deployment === undefined ? [] : [{ place: { service: service.name, slot }, deployment }]
    }),
  )
}
