import type { HealthReportView, HealthView } from '../../contracts/api/health.ts'
import type { Moment } from '../../core/clock.ts'
import { evaluateHealth } from '../../fabric/health/evaluate.ts'
import { healthIn, isExpired, healthKey } from '../../fabric/health/report.ts'
import { rolesOf } from '../../fabric/lookup.ts'
import type { DeploymentRecord, FabricState } from '../../fabric/state.ts'
import type { HealthReport } from '../../fabric/health-record.ts'
import { completedDomains } from '../../fabric/upgrade/monitored.ts'

/** A deployment's health as its policy judges it, and why. */
export function viewHealth(state: FabricState, deployment: DeploymentRecord, now: Moment): HealthView {
  const source = healthIn(state, now)
  const { id, policy, upgrade } = deployment
  const { evaluations, ...health } = evaluateHealth(source, {
    deployment: id,
    roles: rolesOf(state, id),
    policy,
    completed: upgrade?.direction === 'forward' ? completedDomains(upgrade) : [],
    baseline: upgrade?.baseline ?? [],
  })
  const reports = (key: string) => source.reportsOf(key).map(report => viewReport(report, now))
  return {
    deployment: id,
    state: health.state,
    evaluations: evaluations.map(({ key: _key, ...evaluation }) => evaluation),
    reports: reports(id),
    roles: health.roles.map(({ instances, ...role }) => ({
      ...role,
      instances: instances.map(({ id: name, state: own }) => ({
        id: name,
        state: own,
        reports: reports(healthKey(id, name)),
      })),
    })),
    upgradeDomains: health.domains,
  }
}

function viewReport({ anchor, at, ...report }: Readonly<HealthReport>, now: Moment): HealthReportView {
  return { ...report, at: new Date(at).toISOString(), expired: isExpired({ ...report, anchor, at }, now) }
}
