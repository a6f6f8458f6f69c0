import { coversHost, expiryWarning, type Certificate } from '../model/certificate.ts'
import type { Configuration, EndpointDefinition, ServiceDefinition } from '../model/definition.ts'
import type { Release } from '../model/release.ts'
import { own } from '../core/own.ts'
import type { Draft } from './draft.ts'
import { specOf } from './instances.ts'
import type { Blocker } from './refusal.ts'
import type { DeploymentRecord, FabricState, RoleRecord } from './state.ts'

/** What can be looked up, in a draft as in a state. */
interface Known {
  release(digest: string): Release | undefined
  certificate(id: string): Certificate | undefined
}

/** The configuration that counts now: while an upgrade runs that of the end it goes to. */
export function configurationOf({ configuration, upgrade }: Readonly<DeploymentRecord>): Configuration {
  if (upgrade === null) return configuration
  return upgrade.direction === 'forward' ? upgrade.to.configuration : upgrade.from.configuration
}

/** Which certificate each name of a role stands for: the configuration goes before what the package brings. */
function certificateIds(
  release: Pick<Release, 'certificates'> | undefined,
  role: string,
  names: readonly string[],
  configuration: Configuration,
): Record<string, string> {
  const configured = own(configuration.roles, role)?.certificates ?? {}
  const brought = own(release?.certificates ?? {}, role) ?? {}
  return Object.fromEntries(
    names.flatMap(name => {
      const id = (own(configured, name) ?? own(brought, name))?.id
      return id === undefined ? [] : [[name, id]]
    }),
  )
}

/** Certificates that https endpoints need and nobody gives. */
export function missingCertificates(
  definition: ServiceDefinition,
  release: Pick<Release, 'certificates'>,
  configuration: Configuration,
): Blocker[] {
  return Object.values(definition.roles).flatMap(role => {
    const needed = [...new Set(role.endpoints.flatMap(({ certificates }) => certificates))]
    const given = certificateIds(release, role.name, needed, configuration)
    return needed
      .filter(name => own(given, name) === undefined)
      .map(name => ({
        code: 'invalid_configuration' as const,
        message: `role ${role.name}, certificate ${name}: the package brings none and the configuration gives none; write roles: { ${role.name}: { certificates: { ${name}: FILE } } } in a configuration and pass it with --config`,
      }))
  })
}

/** The certificates an endpoint shows, the default one first. */
export function certificatesOfEndpoint(
  known: Known,
  deployment: Readonly<DeploymentRecord>,
  role: Readonly<RoleRecord>,
  endpoint: EndpointDefinition,
): Certificate[] {
  const release = known.release(specOf(role, role.target).package)
  const ids = certificateIds(release, role.name, endpoint.certificates, configurationOf(deployment))
  return endpoint.certificates.flatMap(name => known.certificate(own(ids, name) ?? '') ?? [])
}

export interface CertificateNote {
  readonly name: string
  readonly certificate: Certificate
  /** It has expired or will within 14 days. */
  readonly warning: string | null
}

/** Every certificate a role has now, with what is worth knowing about its end. `now` is wall time. */
export function certificateNotes(
  known: Known,
  deployment: Readonly<DeploymentRecord>,
  role: Readonly<RoleRecord>,
  now: number,
): CertificateNote[] {
  const spec = specOf(role, role.target)
  const names = Object.keys(spec.definition.certificates)
  const ids = certificateIds(known.release(spec.package), role.name, names, configurationOf(deployment))
  return Object.entries(ids).flatMap(([name, id]) => {
    const certificate = known.certificate(id)
    return certificate === undefined ? [] : [{ name, certificate, warning: expiryWarning(certificate, now) }]
  })
}

/** Of several certificates the one shown to who asks for `host`: the first that is for it, else the first. */
export function certificateFor(certificates: readonly Certificate[], host: string): Certificate | undefined {
  return certificates.find(({ names }) => coversHost(names, host)) ?? certificates[0]
}

/** Certificates of the configuration of one role that would not be what they are now. */
export function changedCertificates(before: Configuration, after: Configuration): string[] {
  return Object.entries(after.roles).flatMap(([role, { certificates = {} }]) =>
    Object.entries(certificates)
      .filter(([name, { id }]) => own(own(before.roles, role)?.certificates ?? {}, name)?.id !== id)
      .map(([name]) => `${role}/${name}`),
  )
}

export function knownTo(draft: Draft): Known {
  return {
    release: digest => draft.releases.get(digest),
    certificate: id => draft.certificates.get(id),
  }
}

export function knownIn(state: FabricState): Known {
  return { release: digest => own(state.releases, digest), certificate: id => own(state.certificates, id) }
}

/** Forgets certificates that nothing stands on: no release, configuration, address, or address to return to. */
export function pruneCertificates(draft: Draft): void {
  const ids = draft.certificates.keys()
  if (ids.length === 0) return
  const used = new Set<string>()
  const use = (refs: Readonly<Record<string, { readonly id: string }>> | undefined): void => {
    for (const { id } of Object.values(refs ?? {})) used.add(id)
  }
  const useConfiguration = (configuration: Configuration | null): void => {
    for (const role of Object.values(configuration?.roles ?? {})) use(role.certificates)
  }
  for (const release of draft.releases.values()) {
    for (const brought of Object.values(release.certificates)) use(brought)
    useConfiguration(release.configuration)
  }
  for (const { configuration, upgrade } of draft.deployments.values()) {
    useConfiguration(configuration)
    useConfiguration(upgrade?.from.configuration ?? null)
    useConfiguration(upgrade?.to.configuration ?? null)
  }
  for (const { listeners } of draft.services.values()) {
    for (const { tls } of listeners) for (const id of tls?.certificates ?? []) used.add(id)
  }
  for (const { previousListeners } of draft.operations.values()) {
    for (const { tls } of previousListeners ?? []) for (const id of tls?.certificates ?? []) used.add(id)
  }
  for (const id of ids) if (!used.has(id)) draft.certificates.delete(id)
}
