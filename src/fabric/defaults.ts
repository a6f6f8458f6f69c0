import type { Platform } from '../model/definition.ts'
import { DEFAULT_UPGRADE_POLICY } from '../model/upgrade-policy.ts'
import type { Draft } from './draft.ts'
import { roleKey } from './keys.ts'

const NO_PLATFORM: Platform = { version: null, trustLevel: 'full' }

/** Fills in what records of journals written by an earlier version do not have. */
export function fillDefaults(draft: Draft): void {
  for (const digest of draft.releases.keys()) {
    const release = draft.releases.get(digest)
    if (release === undefined || has(release.definition, 'platform')) continue
    draft.releases.put(digest, { ...release, definition: { ...release.definition, platform: NO_PLATFORM } })
  }
  for (const { deployment, name, specs } of draft.roles.values()) {
    if (Object.values(specs).every(spec => has(spec, 'platform'))) continue
    const role = draft.roles.edit(roleKey(deployment, name))
    if (role === undefined) continue
    for (const [id, spec] of Object.entries(role.specs))
      if (!has(spec, 'platform')) role.specs[id] = { ...spec, platform: NO_PLATFORM }
  }
  for (const { id, upgrade } of draft.deployments.values()) {
    const seen = draft.deployments.get(id)
    if (seen === undefined || (has(seen, 'formerRoles') && (upgrade === null || has(upgrade, 'added')))) continue
    const deployment = draft.deployments.edit(id)
    if (deployment === undefined) continue
    if (!has(deployment, 'formerRoles')) deployment.formerRoles = {}
    if (deployment.upgrade !== null && !has(deployment.upgrade, 'added'))
      Object.assign(deployment.upgrade, { added: [], removed: [], counts: {}, closing: null })
  }
  for (const { id, policy, upgrade } of draft.deployments.values()) {
    // A policy lacks what later versions ask it.
    const whole = Object.keys(DEFAULT_UPGRADE_POLICY).every(key => has({ ...policy }, key))
    if (whole && (upgrade === null || has(upgrade, 'stuck'))) continue
    const deployment = draft.deployments.edit(id)
    if (deployment === undefined) continue
    deployment.policy = { ...DEFAULT_UPGRADE_POLICY, ...deployment.policy }
    if (deployment.upgrade !== null && !has(deployment.upgrade, 'stuck')) {
      const { upgrade: since, domain } = deployment.upgrade.clocks
      const clocks = { upgrade: since, domain, health: null, beat: null }
      Object.assign(deployment.upgrade, { clocks, verified: [], failure: null, stuck: [], baseline: [] })
    }
  }
  if (!has(draft.fabric, 'moment')) draft.fabric.moment = null
  for (const mark of draft.marks.values())
    if (!has(mark, 'revision')) draft.marks.put(mark.id, { ...mark, revision: { term: 0, n: 0 } })
  for (const { id } of draft.operations.values()) {
    const seen = draft.operations.get(id)
    if (seen === undefined || (has(seen, 'remarks') && has(seen, 'by'))) continue
    const operation = draft.operations.edit(id)
    if (operation === undefined) continue
    operation.remarks ??= []
    operation.by ??= null
  }
}

/** Types speak of records written by this version. */
function has(record: object, key: string): boolean {
  return Object.hasOwn(record, key)
}
