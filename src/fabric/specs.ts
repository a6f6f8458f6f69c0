import { createHash } from 'node:crypto'
import { own } from '../core/own.ts'
import type { Slot } from '../model/slot.ts'
import type { Configuration, Platform, RoleDefinition } from '../model/definition.ts'
import type { Release } from '../model/release.ts'
import { refuse, type Blocker } from './refusal.ts'
import { sealingBlockers } from './secrets.ts'
import type { RoleSpec } from './state.ts'

/**
 * How a role of a release runs in a slot under a configuration. Its id is the same for the same identity and settings.
 * Of a setting that belongs to a slot: what a configuration's `settings` say, else its value for the slot there, else that
 * in the definition, else its default.
 */
export function makeSpec(release: Release, role: RoleDefinition, configuration: Configuration, slot: Slot): RoleSpec {
  const over = own(configuration.roles, role.name)?.slotSettings
  const settings = {
    ...role.settings,
    ...valuesIn(slot, role.slotSettings),
    ...valuesIn(slot, over, role.slotSettings),
  }
  for (const [name, value] of Object.entries(own(configuration.roles, role.name)?.settings ?? {})) {
    if (Object.hasOwn(settings, name)) settings[name] = value
  }
  const identity = own(release.identities, role.name) ?? release.digest
  const { platform } = release.definition
  return {
    id: `${identity.slice(0, 16)}-${digestOf(settings)}${platformMark(platform)}`,
    package: release.digest,
    version: release.definition.version,
    identity,
    platform,
    definition: role,
    settings,
  }
}

/** Nothing for the default: ids of specs are older than platforms. */
function platformMark({ version, trustLevel }: Platform): string {
  return version === null && trustLevel === 'full' ? '' : `-${trustLevel}-${version ?? ''}`
}

/** How many instances of a role a configuration asks for. */
export function instanceCount(role: RoleDefinition, configuration: Configuration): number {
  if (role.upstreams.length > 0) return role.upstreams.length
  return own(configuration.roles, role.name)?.instances ?? role.instances
}

/** Later words win, role by role, setting by setting, certificate by certificate. */
export function mergeConfiguration(base: Configuration, over: Configuration): Configuration {
  const roles: Record<string, Configuration['roles'][string]> = { ...base.roles }
  for (const [name, role] of Object.entries(over.roles)) {
    const settings = { ...own(roles, name)?.settings, ...role.settings }
    const certificates = { ...own(roles, name)?.certificates, ...role.certificates }
    const bound = mergeSlotSettings(own(roles, name)?.slotSettings, role.slotSettings)
    roles[name] = {
      ...own(roles, name),
      ...role,
      ...(Object.keys(settings).length > 0 ? { settings } : {}),
      ...(Object.keys(certificates).length > 0 ? { certificates } : {}),
      ...(Object.keys(bound).length > 0 ? { slotSettings: bound } : {}),
    }
  }
  return { roles }
}

/** What a configuration says that its definition does not know. */
export function checkConfiguration(
  roles: Readonly<Record<string, RoleDefinition>>,
  configuration: Configuration,
): Blocker[] {
  const blockers: Blocker[] = []
  for (const [name, role] of Object.entries(configuration.roles)) {
    const definition = own(roles, name)
    if (definition === undefined) {
      blockers.push({
        code: 'invalid_configuration',
        message: `there is no role "${name}"; roles are ${Object.keys(roles).join(', ')}`,
      })
      continue
    }
    blockers.push(...sealingBlockers(name, definition, role))
    for (const setting of Object.keys(role.settings ?? {})) {
      if (Object.hasOwn(definition.settings, setting)) continue
      const known = Object.keys(definition.settings)
      blockers.push({
        code: 'invalid_configuration',
        message: `role ${name} has no setting "${setting}"; ${known.length === 0 ? 'it has none' : `it has ${known.join(', ')}`}`,
      })
    }
    for (const setting of Object.keys(role.slotSettings ?? {})) {
      const known = Object.keys(definition.slotSettings ?? {})
      if (known.includes(setting)) continue
      blockers.push({
        code: 'invalid_configuration',
        message: `role ${name} binds no setting "${setting}" to a slot; ${known.length === 0 ? 'it binds none' : `it binds ${known.join(', ')}`}`,
      })
    }
    for (const certificate of Object.keys(role.certificates ?? {})) {
      if (Object.hasOwn(definition.certificates, certificate)) continue
      const known = Object.keys(definition.certificates)
      blockers.push({
        code: 'invalid_configuration',
        message: `role ${name} has no certificate "${certificate}"; ${known.length === 0 ? 'it has none' : `it has ${known.join(', ')}`}`,
      })
    }
  }
  return blockers
}

/** The release of a digest; refuses with `package_not_found`. */
export function requireRelease(releases: { get(digest: string): Release | undefined }, digest: string): Release {
  return (
    releases.get(digest) ?? refuse('package_not_found', `there is no package ${digest.slice(0, 12)}…: upload it first`)
  )
}

function digestOf(settings: Record<string, string>): string {
  return createHash('sha256').update(canonicalSettings(settings)).digest('hex').slice(0, 12)
}

/** One text for equal settings, whatever their order. */
export function canonicalSettings(settings: Readonly<Record<string, string>>): string {
  return JSON.stringify(
    Object.keys(settings)
      .toSorted()
      .map(name => [name, settings[name]]),
  )
}

type Bound = RoleDefinition['slotSettings']

/** Values of a slot; of `known` settings only, where it is given. */
function valuesIn(slot: Slot, bound: Bound, known: Bound = bound): Record<string, string> {
  const values: Record<string, string> = {}
  for (const [name, { [slot]: value }] of Object.entries(bound ?? {}))
    if (value !== undefined && Object.hasOwn(known ?? {}, name)) values[name] = value
  return values
}

function mergeSlotSettings(base: Bound = {}, over: Bound = {}): NonNullable<Bound> {
  const merged = { ...base }
  for (const [name, values] of Object.entries(over)) merged[name] = { ...own(merged, name), ...values }
  return merged
}
