import type { PlanView } from '../contracts/api/plan.ts'
import type { Command } from '../contracts/command.ts'
import type { Moment } from '../core/clock.ts'
import { certificateNotes, knownTo } from '../fabric/certificates.ts'
import { swapPreflight } from '../fabric/deployment/swap.ts'
import { Draft } from '../fabric/draft.ts'
import type { Refusal } from '../fabric/refusal.ts'
import type { FabricState } from '../fabric/state.ts'
import { planSwap } from './plan-swap.ts'
import { planRefusedUpgrade, planUpgrade, upgradeSteps, upgradeWarnings } from './plan-upgrade.ts'

/** What a command would do, in words, from its rehearsal. */
export function planOf(
  state: FabricState,
  command: Command,
  outcome: { draft: Draft } | { refusal: Refusal },
  now: Moment,
): PlanView {
  if ('refusal' in outcome) {
    const nothing = outcome.refusal.code === 'nothing_to_do' || outcome.refusal.code === 'identical_target'
    const before = new Draft(state, now)
    const upgrade = command.kind === 'upgrade' ? planRefusedUpgrade(before, command) : null
    return {
      outcome: nothing ? 'none' : 'refused',
      blockers: outcome.refusal.blockers,
      // What is worth knowing is told beside what is in the way.
      warnings: command.kind === 'swap' ? swapWarnings(before, command.service) : [],
      steps: [],
      ...(upgrade === null ? {} : { upgrade }),
    }
  }
  const { draft } = outcome
  const before = new Draft(state, now)
  const upgrade = command.kind === 'upgrade' ? planUpgrade(before, draft, command) : null
  return {
    outcome: 'changes',
    blockers: [],
    warnings: [...warningsOf(before, draft, command), ...expiriesOf(draft, command, now)],
    steps:
      upgrade === null || command.kind !== 'upgrade'
        ? swapSteps(state, draft, command)
        : upgradeSteps(draft, command, upgrade),
    ...(upgrade === null ? {} : { upgrade }),
  }
}

/** Of the slots as they are now, not as the rehearsal left them. */
function swapWarnings(before: Draft, name: string): string[] {
  const service = before.services.get(name)
  return service === undefined ? [] : swapPreflight(before, service).warnings
}

function warningsOf(before: Draft, draft: Draft, command: Command): string[] {
  if (command.kind === 'swap') return swapWarnings(before, command.service)
  return command.kind === 'upgrade' ? upgradeWarnings(before, draft, command) : []
}

/** Certificates that come into use, or stay in it, and will not last. */
function expiriesOf(draft: Draft, command: Command, now: Moment): string[] {
  if (!('service' in command)) return []
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

function swapSteps(state: FabricState, draft: Draft, command: Command): string[] {
  if (!('service' in command)) return []
  const service = draft.services.get(command.service)
  if (service === undefined || command.kind !== 'swap') return []
  return planSwap(state, draft, command)
}
