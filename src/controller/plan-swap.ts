import type { SwapCommand } from '../contracts/command.ts'
import { own } from '../core/own.ts'
import type { Configuration } from '../model/definition.ts'
import type { Draft } from '../fabric/draft.ts'
import { specOf } from '../fabric/instances.ts'
import { configurationFor, needsWalk } from '../fabric/slot-settings/values.ts'
import type { FabricState } from '../fabric/state.ts'
import { definitionsOf } from '../fabric/verify/targets.ts'

/** What an accepted swap, or phase of one, does: from the state it meets and the draft its acceptance left. */
export function planSwap(state: FabricState, draft: Draft, command: SwapCommand): string[] {
  const service = own(state.services, command.service)
  if (service === undefined) return []
  const { production, staging } = service.slots
  const label = (id: string | null): string =>
    id === null ? 'nothing' : `${id} (${state.deployments[id]?.version ?? '?'})`
  if (command.phase === 'cancel') {
    return [
      `production goes on serving ${label(production)}`,
      ...walkStep(draft, staging, "gets staging's settings back"),
    ]
  }
  const before = command.phase === 'commit' ? [] : preparation(draft, staging)
  if (command.phase === 'prepare') return [...before, 'the slots stay as they are until `vipswap swap commit`']
  // What the candidate is configured by in staging: of the state before, since its acceptance may have changed that.
  const stays = service.prepared?.restore ?? state.deployments[staging ?? '']?.configuration ?? null
  return [
    ...before,
    `production will serve ${label(staging)}`,
    `staging will serve ${label(production)}`,
    'addresses and connections stay',
    ...(command.verify === true ? ['probe traffic through production; the first loss swaps back'] : []),
    ...afterwards(draft, production, staging, stays),
  ]
}

function preparation(draft: Draft, staging: string | null): string[] {
  const warm = staging !== null && definitionsOf(draft, staging).some(({ warmUp = [] }) => warmUp.length > 0)
  return [
    ...walkStep(draft, staging, "takes production's settings, domain by domain, before it gets traffic"),
    ...(warm ? [`every ready instance of ${staging} answers its warmUp requests`] : []),
  ]
}

/** A candidate that the acceptance sent on a walk, with the settings that change. */
function walkStep(draft: Draft, id: string | null, what: string): string[] {
  const upgrade = draft.deployments.get(id ?? '')?.upgrade
  if (id === null || upgrade == null) return []
  const names = draft.rolesOf(id).flatMap(role => {
    const change = own(upgrade.roles, role.name)
    if (change === undefined) return []
    const [from, to] = [specOf(role, change.from).settings, specOf(role, change.to).settings]
    return Object.keys(to).flatMap(name => (from[name] === to[name] ? [] : [`${role.name}.${name}`]))
  })
  return [`${id} ${what}: ${names.join(', ')}`]
}

function afterwards(
  draft: Draft,
  production: string | null,
  staging: string | null,
  stays: Configuration | null,
): string[] {
  if (production === null || staging === null) return []
  if (!needsWalk(draft, production, configurationFor(draft, production, stays), 'staging')) return []
  return [
    `${production} takes staging's settings afterwards, off traffic, domain by domain`,
    'swapping back then needs a preparation of its own (`vipswap swap prepare`, or a plain `vipswap swap` that takes as long)',
  ]
}
