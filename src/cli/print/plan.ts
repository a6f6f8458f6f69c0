import type { ChangePlanView, PlanView, UpgradePlanView } from '../../contracts/api/plan.ts'
import { table } from './table.ts'

/** What a plan says, for people: what blocks and what to know first, then what would be done. */
export function planText(plan: PlanView): string {
  return [
    ...plan.blockers.map(each =>
      plan.outcome === 'none' ? `nothing to do: ${each.message}` : `refused: ${each.message} [${each.code}]`,
    ),
    ...(plan.outcome === 'none' && plan.blockers.length === 0 ? ['nothing to do'] : []),
    ...plan.warnings.map(each => `warning: ${each}`),
    ...(plan.upgrade === undefined || plan.outcome === 'none' ? [] : upgradeLines(plan.upgrade)),
    ...plan.steps.map((step, index) => `${index + 1}. ${step}`),
  ].join('\n')
}

function upgradeLines(upgrade: UpgradePlanView): string[] {
  const { mode, fromVersion, toVersion, signedBy, domains, cores, changes, roles } = upgrade
  const bound = cores.quota === null ? '' : ` of ${cores.quota}`
  return [
    `${fromVersion} to ${toVersion}, mode ${mode}; ${domains.declared} domains declared, ${domains.effective} effective; cores ${cores.before} to ${cores.after}${bound}`,
    ...(signedBy === undefined ? [] : [`${toVersion} is signed by ${signedBy.join(', ')}`]),
    table(
      ['ROLE', 'CHANGE', 'FROM', 'TO', 'INSTANCES', 'LOW-WATER'],
      roles.map(role => [
        role.name,
        role.change,
        role.fromVersion ?? '',
        role.toVersion ?? '',
        `${role.instances.from} to ${role.instances.to}`,
        String(role.lowWater),
      ]),
    ),
    ...changes.map(change => `service: ${changeText(change)}`),
    ...roles.flatMap(role => role.changes.map(change => `${role.name}: ${changeText(change)}`)),
  ]
}

function changeText({ what, inPlace, swap, redeploy }: ChangePlanView): string {
  return `${what} (in place ${inPlace}, swap ${swap}, redeploy ${redeploy})`
}
