import type { Configuration } from '../../model/definition.ts'
import type { Draft } from '../draft.ts'
import { configurationFor, giveValues } from '../slot-settings/values.ts'

/** What is in staging gets its own values back, off traffic. Answers the walk; null where nothing has to restart. */
export function restoreCandidate(draft: Draft, service: string, restore: Configuration | null): string | null {
  const candidate = draft.services.get(service)?.slots.staging ?? null
  if (candidate === null || restore === null) return null
  // Only what belongs to a slot: certificates may have been renewed meanwhile.
  return giveBack(draft, candidate, configurationFor(draft, candidate, restore))
}

/** As `restoreCandidate`, of any deployment that has left traffic. */
export function giveBack(draft: Draft, deployment: string, configuration: Configuration): string | null {
  const given = giveValues(draft, deployment, configuration, 'staging')
  if ('walk' in given) return given.walk
  draft.event('warning', `${deployment} keeps production's settings: ${given.refusal.message}`, { deployment })
  return null
}
