import { own } from '../../core/own.ts'
import type { Slot } from '../../model/slot.ts'
import type { Configuration, RoleDefinition } from '../../model/definition.ts'
import { Draft } from '../draft.ts'
import { Refused, type Refusal } from '../refusal.ts'
import { requireRelease } from '../specs.ts'
import { beginUpgrade, type Wish } from '../upgrade/begin.ts'
import { differs } from '../upgrade/changed-roles.ts'
import { definitionsOf } from '../verify/targets.ts'

/**
 * `mine` with what `other` says of the settings that belong to a slot: what a configuration gave them in a slot stays there
 * when the code moves. What neither says comes from the definition, by slot.
 */
function withValuesOf(
  roles: readonly RoleDefinition[],
  mine: Configuration,
  other: Configuration | null,
): Configuration {
  const changed: Record<string, Configuration['roles'][string]> = { ...mine.roles }
  for (const { name, slotSettings = {} } of roles) {
    const bound = Object.keys(slotSettings)
    if (bound.length === 0) continue
    const settings = Object.fromEntries(
      Object.entries(own(mine.roles, name)?.settings ?? {}).filter(([setting]) => !bound.includes(setting)),
    )
    const theirs = own(other?.roles ?? {}, name)?.settings ?? {}
    for (const setting of bound) {
      const value = own(theirs, setting)
      if (value !== undefined) settings[setting] = value
    }
    const { settings: _before, ...rest } = own(mine.roles, name) ?? {}
    if (Object.keys(settings).length > 0) changed[name] = { ...rest, settings }
    else if (Object.keys(rest).length > 0) changed[name] = rest
    else delete changed[name]
  }
  return { roles: changed }
}

/** What a deployment is configured by once it has the values of a slot; `other` held that slot until then. */
export function configurationFor(draft: Draft, deployment: string, other: Configuration | null): Configuration {
  const mine = draft.deployments.get(deployment)?.configuration ?? { roles: {} }
  return withValuesOf(definitionsOf(draft, deployment), mine, other)
}

function wishFor(draft: Draft, deployment: string, slot: Slot): Wish {
  return {
    mode: 'unmonitored-auto',
    role: null,
    restartUnchanged: false,
    overlap: false,
    ownPackages: true,
    allowRoleChanges: true,
    label: draft.deployments.get(deployment)?.label ?? '',
    slot,
  }
}

/** Would the roles of a deployment run otherwise under this configuration in this slot? */
export function needsWalk(draft: Draft, deployment: string, configuration: Configuration, slot: Slot): boolean {
  const record = draft.deployments.get(deployment)
  if (record === undefined) return false
  const release = requireRelease(draft.releases, record.package)
  return differs(draft, deployment, release, countless(configuration), wishFor(draft, deployment, slot))
}

/**
 * Gives a deployment the values of a slot, domain by domain; without a gate between domains, since it serves nobody (the
 * other end of the swap looks at all instances afterwards). Answers the walk's operation; null where nothing has to restart.
 */
export function giveValues(
  draft: Draft,
  deployment: string,
  configuration: Configuration,
  slot: Slot,
): { readonly walk: string | null } | { readonly refusal: Refusal } {
  const record = draft.deployments.edit(deployment)
  if (record === undefined) return { walk: null }
  // Under a walk the same values may be on their way back: only that one's successor knows.
  if (record.upgrade === null && !needsWalk(draft, deployment, configuration, slot)) {
    record.configuration = configuration
    return { walk: null }
  }
  const begin = (on: Draft): string =>
    beginUpgrade(
      on,
      deployment,
      requireRelease(on.releases, record.package),
      configuration,
      wishFor(on, deployment, slot),
    )
  // Much is written before some refusals are known: what is refused must leave nothing of it here.
  const refusal = refusalOf(() => begin(new Draft(draft.finish().state, draft.now)))
  if (refusal !== null) return { refusal }
  const { policy } = record
  const walk = begin(draft)
  // It is judged as before; nothing outside is asked about a walk that is part of a swap.
  record.policy = policy
  if (record.upgrade !== null) record.upgrade.unasked = true
  return { walk }
}

function refusalOf(what: () => unknown): Refusal | null {
  try {
    what()
    return null
  } catch (thrown) {
    if (thrown instanceof Refused) return thrown.refusal
    throw thrown
  }
}

/** Counts are not a slot's: what runs stays as many as it is. */
function countless({ roles }: Configuration): Configuration {
  return {
    roles: Object.fromEntries(Object.entries(roles).map(([name, { instances: _count, ...rest }]) => [name, rest])),
  }
}
