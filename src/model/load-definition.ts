import { readTlsMaterial, type PackageContents, type TlsMaterial } from './check-certificates.ts'
import { checkDefinition } from './check-definition.ts'
import { checkSchema } from './check-schema.ts'
import type { ServiceDefinition } from './definition.ts'
import { compareFaults, type Fault } from './fault.ts'
import { Findings, independentOf } from './findings.ts'
import { resolveDefinition } from './resolve-definition.ts'
import { ServiceSchema, type ServiceSource } from './service-schema.ts'
import { parseSource } from './source-file.ts'

/** Names under which a definition is looked for at a package's root; one of them must be there. */
export const DEFINITION_FILES = ['service.yaml', 'service.yml', 'service.json'] as const

export type LoadedDefinition =
  | { readonly definition: ServiceDefinition; readonly tls: TlsMaterial; readonly warnings: readonly Fault[] }
  | { readonly faults: readonly Fault[] }

/**
 * Reads a service definition: every fault with its place, or the definition with all defaults and the warnings.
 * `file` is the name for messages; `contents` says what the package holds (default: nothing is known, all is believed,
 * and no certificate is read).
 */
export function loadDefinition(file: string, text: string, contents?: PackageContents): LoadedDefinition {
  const { kindOf } = contents ?? {}
  const { source, faults: syntax } = parseSource(file, text)
  if (syntax.length > 0 && !syntax.every(({ expected }) => expected === 'write each key once'))
    return { faults: syntax }
  const checked = checkSchema(source, ServiceSchema)
  const form = [...syntax, ...checked.faults]
  const findings = new Findings(source)
  // The reader built it by the schema; only parts that were faulty are missing, and the required ones stand in here.
  const sound = { name: '', version: '', roles: {}, ...(checked.value as Partial<ServiceSource> | undefined) }
  const definition = resolveDefinition(sound, path => source.textAt(path), kindOf ?? (() => null))
  checkDefinition(sound, definition, kindOf ?? (path => (path === '' ? null : 'directory')), findings)
  const tls =
    contents === undefined ? { certificates: {}, authorities: {} } : readTlsMaterial(definition, contents, findings)
  const faults = [...form, ...independentOf(form, findings.faults)].sort(compareFaults)
  return faults.length > 0 ? { faults } : { definition, tls, warnings: findings.warnings.sort(compareFaults) }
}
