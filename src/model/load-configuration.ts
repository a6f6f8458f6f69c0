import { MAX_CERTIFICATES, type Certificate, type CertificateRef } from './certificate.ts'
import { readConfiguredCertificate, type PackageContents } from './check-certificates.ts'
import { checkSchema } from './check-schema.ts'
import { SECRET_ELSEWHERE } from './check-role-traffic.ts'
import type { Configuration, RoleConfiguration, RoleDefinition, ServiceDefinition } from './definition.ts'
import { compareFaults, type Fault } from './fault.ts'
import { Findings, independentOf } from './findings.ts'
import { suggest } from './nearest.ts'
import { resolveFiles } from './resolve-definition.ts'
import { resolveSlotValues, settingText } from './role-traffic.ts'
import { ConfigurationSchema, type ConfigurationSource } from './service-schema.ts'
import { parseSource, type SourceFile } from './source-file.ts'

/** Names under which a package may hold its own configuration. */
export const CONFIGURATION_FILES = ['service.config.yaml', 'service.config.yml', 'service.config.json'] as const

export type LoadedConfiguration =
  | {
      readonly configuration: Configuration
      /** Those that the configuration stands for by id. */
      readonly certificates: readonly Certificate[]
      readonly warnings: readonly Fault[]
    }
  | { readonly faults: readonly Fault[] }

/**
 * Reads a service configuration against the definition it is for: roles and setting names come from there, counts and
 * values may change. Paths of certificates are relative to the file, read through `contents`. Every fault with its
 * place, or the configuration.
 */
export function loadConfiguration(
  file: string,
  text: string,
  definition: ServiceDefinition,
  contents: PackageContents,
): LoadedConfiguration {
  const { source, faults: syntax } = parseSource(file, text)
  if (syntax.length > 0) return { faults: syntax }
  const checked = checkSchema(source, ConfigurationSchema)
  const findings = new Findings(source)
  // The reader built it by the schema; only parts that were faulty are missing.
  const { roles = {} } = (checked.value ?? {}) as Partial<ConfigurationSource>
  for (const [name, role] of Object.entries(roles)) checkRole(name, role, definition, findings)
  const certificates = Object.entries(roles).flatMap(([name, role]) =>
    Object.entries(role.certificates ?? {}).flatMap(([certificate, source]) => {
      const path = ['roles', name, 'certificates', certificate]
      const files = resolveFiles(source)
      const found = files === null ? null : readConfiguredCertificate(files, path, contents, findings)
      return found === null ? [] : [{ role: name, name: certificate, found }]
    }),
  )
  if (certificates.length > MAX_CERTIFICATES) {
    findings.fault(['roles'], `found ${certificates.length} certificates`, `write at most ${MAX_CERTIFICATES}`)
  }
  const faults = [...checked.faults, ...independentOf(checked.faults, findings.faults)].sort(compareFaults)
  if (faults.length > 0) return { faults }
  const entries = Object.entries(roles).map(([name, role]) => {
    const own = certificates.filter(one => one.role === name).map(one => [one.name, { id: one.found.id }] as const)
    return [name, { ...resolveRole(source, name, role), ...certificatesOf(own) }] as const
  })
  return {
    configuration: { roles: Object.fromEntries(entries) },
    certificates: certificates.map(({ found }) => found),
    warnings: findings.warnings,
  }
}

function certificatesOf(entries: readonly (readonly [string, CertificateRef])[]): RoleConfiguration {
  return entries.length === 0 ? {} : { certificates: Object.fromEntries(entries) }
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
  checkValues(role, defined, path, findings)
  const bound = Object.keys(defined.slotSettings ?? {})
  for (const setting of Object.keys(role.slotSettings ?? {})) {
    if (bound.includes(setting)) continue
    const found = `found "${setting}", which the definition does not bind to a slot`
    findings.keyFault([...path, 'slotSettings', setting], found, suggest(setting, bound))
  }
  const named = Object.keys(defined.certificates)
  for (const certificate of Object.keys(role.certificates ?? {})) {
    if (named.includes(certificate)) continue
    const found = `found "${certificate}", which the definition does not name`
    findings.keyFault([...path, 'certificates', certificate], found, suggest(certificate, named))
  }
  if (defined.upstreams.length > 0 && role.instances !== undefined && role.instances !== defined.upstreams.length) {
    findings.fault(
      [...path, 'instances'],
      `found ${role.instances} for ${defined.upstreams.length} upstreams`,
      'remove it',
    )
  }
}

/** This one lies in a package: a secret is none here, and a value beside it is written as well as named. */
function checkValues(role: RoleSource, defined: RoleDefinition, path: readonly string[], findings: Findings): void {
  const values: [string[], unknown][] = Object.entries(role.settings ?? {}).map(([name, value]) => [
    ['settings', name],
    value,
  ])
  for (const [name, slots] of Object.entries(role.slotSettings ?? {}))
    for (const [slot, value] of Object.entries(slots)) values.push([['slotSettings', name, slot], value])
  for (const [at, value] of values) {
    const [, name = ''] = at
    if (defined.secrets?.includes(name) === true) {
      findings.keyFault([...path, ...at], 'is a value of a secret', SECRET_ELSEWHERE)
    } else if (typeof value === 'object') {
      findings.keyFault([...path, ...at], 'names a file', 'write the value itself')
    }
  }
}

function resolveRole(source: SourceFile, name: string, role: RoleSource): RoleConfiguration {
  const { instances, settings, slotSettings } = role
  const texts = Object.entries(settings ?? {}).map(([setting, value]): [string, string] => [
    setting,
    source.textAt(['roles', name, 'settings', setting]) ?? settingText(value),
  ])
  return {
    ...(instances === undefined ? {} : { instances }),
    ...(settings === undefined ? {} : { settings: Object.fromEntries(texts) }),
    ...(slotSettings === undefined
      ? {}
      : {
          slotSettings: resolveSlotValues(slotSettings, ['roles', name, 'slotSettings'], path => source.textAt(path)),
        }),
  }
}
