import type { PlanView } from '../contracts/api.ts'
import type { Command } from '../contracts/command.ts'
import type { Moment } from '../core/clock.ts'
import { own } from '../core/own.ts'
import { certificateNotes, knownTo } from '../fabric/certificates.ts'
import { swapPreflight } from '../fabric/deployment/swap.ts'
import { Draft } from '../fabric/draft.ts'
import type { Refusal } from '../fabric/refusal.ts'
import type { FabricState } from '../fabric/state.ts'

/** What a command would do, in words, from its rehearsal. */
export function planOf(
  state: FabricState,
  command: Command,
  outcome: { draft: Draft } | { refusal: Refusal },
  now: Moment,
): PlanView {
  if ('refusal' in outcome) {
    const nothing = outcome.refusal.code === 'nothing_to_do' || outcome.refusal.code === 'identical_target'
    // What is worth knowing is told beside what is in the way.
    const warnings = command.kind === 'swap' ? swapWarnings(state, command, now) : []
    return { outcome: nothing ? 'none' : 'refused', blockers: outcome.refusal.blockers, warnings, steps: [] }
  }
  const { draft } = outcome
  return {
    outcome: 'changes',
    blockers: [],
    warnings: [
      ...(command.kind === 'swap' ? swapWarnings(state, command, now) : warningsOf(draft, command)),
      ...expiriesOf(draft, command, now),
    ],
    steps: stepsOf(state, draft, command),
  }
}

/** Of the slots as they are now, not as the rehearsal left them. */
function swapWarnings(state: FabricState, command: Command, now: Moment): string[] {
  const draft = new Draft(state, now)
  const service = draft.services.get(command.service)
  return service === undefined ? [] : swapPreflight(draft, service).warnings
}

function warningsOf(draft: Draft, command: Command): string[] {
  const service = draft.services.get(command.service)
  if (command.kind !== 'upgrade' || service === undefined) return []
  const id = service.slots[command.slot] ?? ''
  return draft
    .rolesOf(id)
    .filter(role => role.instances.length < 2)
    .map(
      role =>
        `role ${role.name} has ${role.instances.length} instance: requests are held while it restarts; \`vipswap scale ${role.name}=2\` first, or deploy to staging and swap`,
    )
}

/** Certificates that come into use, or stay in it, and will not last. */
function expiriesOf(draft: Draft, command: Command, now: Moment): string[] {
  const { production = null, staging = null } = draft.services.get(command.service)?.slots ?? {}
  const slot = 'slot' in command ? command.slot : 'production'
  const deployment = draft.deployments.get((slot === 'production' ? production : staging) ?? '')
  if (deployment === undefined) return []
  return draft
    .rolesOf(deployment.id)
    .flatMap(role =>
      certificateNotes(knownTo(draft), deployment, role, now.wall).flatMap(({ name, warning }) =>
        warning === null
          ? []
          : [`role ${role.name}, certificate ${name}: ${warning}; \`vipswap config apply\` renews it`],
      ),
    )
}

function stepsOf(state: FabricState, draft: Draft, command: Command): string[] {
  const service = draft.services.get(command.service)
  if (service === undefined) return []
  if (command.kind === 'swap') {
    const label = (id: string | null): string =>
      id === null ? 'nothing' : `${id} (${state.deployments[id]?.version ?? '?'})`
    return [
      `production will serve ${label(service.slots.production)}`,
      `staging will serve ${label(service.slots.staging)}`,
      'addresses and connections stay',
    ]
  }
  const deployment = 'slot' in command ? draft.deployments.get(service.slots[command.slot] ?? '') : undefined
  const upgrade = deployment?.upgrade
  if (deployment === undefined || upgrade == null) return []
  const roles = draft.rolesOf(deployment.id).filter(role => own(upgrade.roles, role.name) !== undefined)
  return [
    `${deployment.id}: ${upgrade.from.version} to ${upgrade.to.version}, mode ${upgrade.mode}, roles ${roles.map(role => role.name).join(', ')}`,
    ...upgrade.domains.map(domain => {
      const moved = roles.flatMap(role =>
        role.instances.filter(instance => instance.upgradeDomain === domain).map(({ id }) => id),
      )
      const total = roles.reduce((sum, role) => sum + role.instances.length, 0)
      return `domain ${domain}: ${moved.join(', ')} (${total - moved.length} of ${total} keep serving)`
    }),
  ]
}
