import type { DeploymentView } from '../../contracts/api/deployment.ts'
import type { ServiceView, VipView } from '../../contracts/api/service.ts'
import { SLOTS, type Slot } from '../../model/slot.ts'
import { policyText } from './policy.ts'
import { table } from './table.ts'

/** Slots of a service, one line each, and below them what is out of the ordinary with their addresses. */
export function slotTable(service: ServiceView, indent = ''): string {
  const rows = SLOTS.map(slot => {
    const deployment = service.slots[slot]
    const ready = deployment?.instances.filter(each => each.status === 'ReadyRole').length ?? 0
    return [
      slot,
      deployment?.version ?? '',
      deployment?.status ?? 'empty',
      deployment === null ? '' : `${ready}/${deployment.instances.length}`,
      addresses(service.vips, slot),
      service.vips.find(vip => vip.slot === slot)?.hostName ?? '',
      deployment?.id ?? '',
      deployment?.label ?? '',
    ]
  })
  const heads = ['SLOT', 'VERSION', 'STATUS', 'READY', 'ADDRESS', 'HOST NAME', 'DEPLOYMENT', 'LABEL']
  const prepared =
    service.prepared === null
      ? []
      : [
          `${indent}a swap is prepared (${service.prepared.operation}): \`vipswap swap commit\` or \`vipswap swap cancel\``,
        ]
  return [table(heads, rows, indent), ...service.vips.flatMap(vip => vipLines(vip, indent)), ...prepared].join('\n')
}

/** What is to be done next, where somebody waits for it: a line for each slot. */
export function nextLines({ slots }: ServiceView): string[] {
  return SLOTS.flatMap(slot => {
    const upgrade = slots[slot]?.upgradeStatus
    return upgrade?.waitingFor?.startsWith('`vipswap ') === true ? [`${slot} waits for ${upgrade.waitingFor}`] : []
  })
}

function vipLines({ slot, role, endpoint, error, paused }: VipView, indent: string): string[] {
  const name = `${indent}${slot} ${role}/${endpoint}`
  const resume = `\`vipswap resume${slot === 'production' ? '' : ` --slot ${slot}`}\``
  return [
    ...(error === null ? [] : [`${name}: ${error}`]),
    ...(paused === null ? [] : [`${name}: paused until ${paused.until} (${resume})`]),
  ]
}

/** Everything of a service: slots, running operation, upgrade, instances. */
export function serviceText(service: ServiceView): string {
  const lines = [service.name, slotTable(service, '  ')]
  const { operation } = service
  if (operation !== null) {
    lines.push(
      `  running: ${operation.kind} ${operation.id}, ${operation.progress.step}: ${operation.progress.message}`,
    )
  }
  for (const slot of SLOTS) {
    const deployment = service.slots[slot]
    if (deployment !== null) lines.push('', ...deploymentLines(deployment))
  }
  return lines.join('\n')
}

function deploymentLines(deployment: DeploymentView): string[] {
  const lines: string[] = []
  const { upgradeStatus: upgrade, signedBy } = deployment
  if (signedBy !== undefined) lines.push(`  ${deployment.slot}: signed by ${signedBy.join(', ')}`)
  if (upgrade !== undefined) {
    const domains = upgrade.domains.map(each => `${each.domain} ${each.state}`).join(', ')
    lines.push(
      `  ${deployment.slot}: ${upgrade.mode} upgrade ${upgrade.fromVersion} -> ${upgrade.toVersion} (${upgrade.direction}); domains: ${domains}`,
    )
    if (upgrade.failure !== undefined) lines.push(`  failed: ${upgrade.failure.reason}: ${upgrade.failure.message}`)
    for (const { instance, reason } of upgrade.stuck ?? []) lines.push(`  stuck on ${instance}: ${reason}`)
    lines.push(`  policy: ${policyText(deployment.policy, upgrade.mode)}`)
    if (upgrade.waitingFor !== null) lines.push(`  waits for ${upgrade.waitingFor}`)
  }
  for (const role of deployment.roles) {
    for (const { name, warning } of role.certificates) {
      if (warning !== undefined) lines.push(`  warning: role ${role.name}, certificate ${name}: ${warning}`)
    }
  }
  for (const { id, localStorage } of deployment.instances) {
    for (const { name, bytes, sizeBytes } of localStorage) {
      if (bytes > sizeBytes) lines.push(`  warning: ${id}: local storage ${name} holds ${bytes} bytes of ${sizeBytes}`)
    }
  }
  const rows = deployment.instances.map(each => [
    each.id,
    each.version,
    each.status,
    String(each.upgradeDomain),
    each.node,
    each.routing,
    String(each.inFlight),
    String(each.restarts),
    each.detail,
  ])
  lines.push(
    table(
      [
        deployment.slot.toUpperCase(),
        'VERSION',
        'STATUS',
        'DOMAIN',
        'NODE',
        'ROUTING',
        'IN-FLIGHT',
        'RESTARTS',
        'DETAIL',
      ],
      rows,
      '  ',
    ),
  )
  return lines
}

function addresses(vips: readonly VipView[], slot: Slot): string {
  return vips
    .filter(vip => vip.slot === slot)
    .map(vip => vip.url ?? `${vip.host}:${vip.port ?? '?'}`)
    .join(' ')
}
