import type { HealthView } from '../../contracts/api/health.ts'
import { table } from './table.ts'

/** The state of a deployment and its roles, then each reason. */
export function healthText(health: HealthView): string {
  const roles = health.roles.map(role => [
    role.name,
    role.state,
    `${role.unhealthy}/${role.total}`,
    String(role.tolerated),
  ])
  const reasons = health.evaluations.map(each => {
    const about = each.instance ?? (each.domain === undefined ? each.role : `domain ${each.domain}`) ?? 'deployment'
    return `  ${each.state} ${about}: ${each.description}`
  })
  return [
    `${health.deployment} ${health.state}`,
    table(['ROLE', 'HEALTH', 'IN ERROR', 'TOLERATED'], roles, '  '),
    ...reasons,
  ].join('\n')
}
