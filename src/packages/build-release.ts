import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beside } from '../core/beside.ts'
import { VipswapError } from '../core/errors.ts'
import type { Certificate } from '../model/certificate.ts'
import type { PackageContents } from '../model/check-certificates.ts'
import type { Fault } from '../model/fault.ts'
import { CONFIGURATION_FILES, loadConfiguration } from '../model/load-configuration.ts'
import { DEFINITION_FILES, loadDefinition } from '../model/load-definition.ts'
import type { Release } from '../model/release.ts'
import { roleIdentity } from './identity.ts'
import { manifestDigest, readManifest, type ManifestEntry } from './manifest.ts'

export interface BuiltRelease {
  readonly release: Release
  /** With their keys: those that the release stands for by id. */
  readonly certificates: readonly Certificate[]
  readonly warnings: readonly Fault[]
}

/**
 * Reads the definition and configuration in `root`. Throws `invalid_package` where there is none or more than one,
 * `invalid_definition` or `invalid_configuration` with every fault in `details.faults`.
 */
export async function buildRelease(root: string): Promise<BuiltRelease> {
  const manifest = await readManifest(root)
  const kinds = new Map(manifest.map(entry => [entry.path, entry.type]))
  const find = (names: readonly string[]) => names.filter(name => kinds.get(name) === 'file')
  const [file, other] = find(DEFINITION_FILES)
  if (file === undefined) {
    throw new VipswapError(
      'invalid_package',
      'there is no service.yaml at the root of the package; write one, or name its folder',
    )
  }
  if (other !== undefined) throw twice(file, other)
  const contents: PackageContents = {
    kindOf: path => {
      const kind = path === '.' ? 'directory' : kinds.get(path)
      // What a link leads to is decided where it is laid out; as a role's folder or a certificate it is refused.
      return kind === undefined || kind === 'link' ? null : kind
    },
    textOf: beside(join(root, file)),
    now: Date.now(),
  }
  const loaded = loadDefinition(file, await readFile(join(root, file), 'utf8'), contents)
  if ('faults' in loaded) throw faulty('invalid_definition', loaded.faults)
  const { definition, tls, warnings } = loaded
  const [configFile, otherConfig] = find(CONFIGURATION_FILES)
  if (configFile !== undefined && otherConfig !== undefined) throw twice(configFile, otherConfig)
  const configured =
    configFile === undefined
      ? null
      : loadConfiguration(configFile, await readFile(join(root, configFile), 'utf8'), definition, contents)
  if (configured !== null && 'faults' in configured) throw faulty('invalid_configuration', configured.faults)
  const release: Release = {
    digest: manifestDigest(manifest),
    definition,
    identities: Object.fromEntries(
      Object.values(definition.roles).map(role => [role.name, roleIdentity(role, manifest)]),
    ),
    configuration: configured?.configuration ?? null,
    certificates: mapRoles(tls.certificates, certificates =>
      Object.fromEntries(Object.entries(certificates).map(([name, { id }]) => [name, { id }])),
    ),
    authorities: tls.authorities,
    bytes: bytesOf(manifest),
    files: manifest.filter(entry => entry.type === 'file').length,
  }
  const certificates = [
    ...Object.values(tls.certificates).flatMap(byName => Object.values(byName)),
    ...(configured?.certificates ?? []),
  ]
  return { release, certificates, warnings: [...warnings, ...(configured?.warnings ?? [])] }
}

function mapRoles<T, U>(record: Readonly<Record<string, T>>, map: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([role, value]) => [role, map(value)]))
}

function bytesOf(manifest: readonly ManifestEntry[]): number {
  return manifest.reduce((sum, entry) => sum + (entry.type === 'file' ? entry.bytes : 0), 0)
}

function twice(one: string, other: string): VipswapError {
  return new VipswapError('invalid_package', `the package has both ${one} and ${other}; keep one`)
}

function faulty(code: 'invalid_definition' | 'invalid_configuration', faults: readonly Fault[]): VipswapError {
  return new VipswapError(code, faults.map(({ message }) => message).join('\n'), { faults })
}
