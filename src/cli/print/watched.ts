import type { DeploymentView } from '../../contracts/api/deployment.ts'
import type { ServiceView } from '../../contracts/api/service.ts'
import { SLOTS } from '../../model/slot.ts'
import type { Session } from '../session.ts'
import { domainGrid } from './grid.ts'
import { operationBars } from './progress.ts'
import { slotTable } from './service.ts'

/** A service as `status -w` draws it: its slots, what runs with its bars, each deployment's grid, and who is in trouble. */
export function watchedText(service: ServiceView, { colors }: Pick<Session, 'colors'>): string {
  const lines = [colors.bold(service.name), slotTable(service, '  ')]
  const { operation } = service
  if (operation !== null) {
    const { step, percent, message } = operation.progress
    lines.push('', `  ${operation.kind} ${operation.id}: ${step} ${Math.round(percent)} %, ${message}`)
    lines.push(...operationBars(operation).map(bar => colors.cyan(bar)))
  }
  for (const { slot, role, endpoint, error, paused } of service.vips) {
    if (error !== null) lines.push(colors.red(`  ${slot} ${role}/${endpoint}: ${error}`))
    if (paused !== null) lines.push(colors.yellow(`  ${slot} ${role}/${endpoint}: paused until ${paused.until}`))
  }
  for (const slot of SLOTS) {
    const deployment = service.slots[slot]
    if (deployment !== null) lines.push('', ...deploymentLines(deployment, colors))
  }
  return lines.join('\n')
}

function deploymentLines(deployment: DeploymentView, colors: Session['colors']): string[] {
  const { slot, id, upgradeStatus: upgrade } = deployment
  const lines = [`  ${colors.bold(slot)} ${id}`]
  if (upgrade !== undefined) {
    lines[0] += `  ${upgrade.mode} ${upgrade.fromVersion} -> ${upgrade.toVersion}${upgrade.direction === 'back' ? ' (back)' : ''}`
    if (upgrade.waitingFor !== null) lines.push(`  waits for ${upgrade.waitingFor}`)
    if (upgrade.failure !== undefined) lines.push(colors.red(`  failed: ${upgrade.failure.message}`))
  }
  lines.push(domainGrid(deployment, colors, '  '))
  for (const { id: instance, status, detail } of deployment.instances)
    if (status !== 'ReadyRole') lines.push(`  ${instance} ${status}: ${detail}`)
  return lines
}
