import { checkSchema } from './check-schema.ts'
import type { Configuration, RoleConfiguration, ServiceDefinition } from './definition.ts'
import { compareFaults, type Fault } from './fault.ts'
import { Findings, independentOf } from './findings.ts'
import { suggest } from './nearest.ts'
import { ConfigurationSchema, type ConfigurationSource } from './service-schema.ts'
import { parseSource, type SourceFile } from './source-file.ts'

/** Names under which a package may hold its own configuration. */
export const CONFIGURATION_FILES = ['service.config.yaml', 'service.config.yml', 'service.config.json'] as const

export type LoadedConfiguration =
  | { readonly configuration: Configuration; readonly warnings: readonly Fault[] }
  | { readonly faults: readonly Fault[] }

/**
 * Reads a service configuration against the definition it is for: roles and setting names come from there, counts and
 * values may change. Every fault with its place, or the configuration.
 */
export function loadConfiguration(file: string, text: string, definition: ServiceDefinition): LoadedConfiguration {
  const { source, faults: syntax } = parseSource(file, text)
  if (syntax.length > 0) return { faults: syntax }
  const checked = checkSchema(source, ConfigurationSchema)
  const findings = new Findings(source)
  // The reader built it by the schema; only parts that were faulty are missing.
  const { roles = {} } = (checked.value ?? {}) as Partial<ConfigurationSource>
  for (const [name, role] of Object.entries(roles)) checkRole(name, role, definition, findings)
  const faults = [...checked.faults, ...independentOf(checked.faults, findings.faults)].sort(compareFaults)
  if (faults.length > 0) return { faults }
  const entries = Object.entries(roles).map(([name, role]) => [name, resolveRole(source, name, role)] as const)
  return { configuration: { roles: Object.fromEntries(entries) }, warnings: findings.warnings }
}

type RoleSource = ConfigurationSource['roles'][string]

function checkRole(name: string, role: RoleSource, definition: ServiceDefinition, findings: Findings): void {
  const path = ['roles', name]
  const defined = Object.hasOwn(definition.roles, name) ? definition.roles[name] : undefined
  if (defined === undefined) {
    const known = Object.keys(definition.roles)
    findings.keyFault(path, `found "${name}", which is no role of ${definition.name}`, suggest(name, known))
    return
  }
  const known = Object.keys(defined.settings)
  for (const setting of Object.keys(role.settings ?? {})) {
    if (known.includes(setting)) continue
    const found = `found "${setting}", which the definition does not name`
    findings.keyFault([...path, 'settings', setting], found, suggest(setting, known))
  }
  if (defined.upstreams.length > 0 && role.instances !== undefined && role.instances !== defined.upstreams.length) {
    findings.fault(
      [...path, 'instances'],
      `found ${role.instances} for ${defined.upstreams.length} upstreams`,
      'remove it',
    )
  }
  if (role.certificates !== undefined) {
    findings.warning(
      [...path, 'certificates'],
      'has no effect in this version',
      'leave it out, or keep it for a later version',
    )
  }
}

function resolveRole(source: SourceFile, name: string, role: RoleSource): RoleConfiguration {
  const { instances, settings } = role
  const texts = Object.entries(settings ?? {}).map(([setting, value]): [string, string] => [
    setting,
    source.textAt(['roles', name, 'settings', setting]) ?? String(value),
  ])
  return {
    ...(instances === undefined ? {} : { instances }),
    ...(settings === undefined ? {} : { settings: Object.fromEntries(texts) }),
  }
}
