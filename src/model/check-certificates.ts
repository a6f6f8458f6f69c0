import { expiryWarning, isExpired, MAX_CERTIFICATES, type Certificate, type CertificateFiles } from './certificate.ts'
import type { ServiceDefinition } from './definition.ts'
import type { Findings } from './findings.ts'
import { readAuthority, readCertificate } from './read-certificate.ts'
import type { PathKind } from './resolve-definition.ts'

/** What lies beside a definition. Texts are asked for certificates only, and `now` (wall, ms) for their expiry. */
export interface PackageContents {
  readonly kindOf: PathKind
  /** The text of a file by its relative path; null where it cannot be read. */
  readonly textOf: (path: string) => string | null
  readonly now: number
}

/** What a package or a configuration brings for TLS, by role and then by the certificate's or endpoint's name. */
export interface TlsMaterial {
  readonly certificates: Readonly<Record<string, Readonly<Record<string, Certificate>>>>
  readonly authorities: Readonly<Record<string, Readonly<Record<string, string>>>>
}

/**
 * Reads every certificate and authority that a definition names. One that has expired is only warned of: the
 * configuration may give another, and an old package must stay deployable.
 */
export function readTlsMaterial(
  definition: ServiceDefinition,
  contents: PackageContents,
  findings: Findings,
): TlsMaterial {
  const certificates: Record<string, Record<string, Certificate>> = {}
  const authorities: Record<string, Record<string, string>> = {}
  let count = 0
  for (const role of Object.values(definition.roles)) {
    for (const [name, files] of Object.entries(role.certificates)) {
      if (files === null) continue
      const path = ['roles', role.name, 'certificates', name]
      count += 1
      if (count > MAX_CERTIFICATES) {
        findings.keyFault(path, `is certificate number ${count}`, `write at most ${MAX_CERTIFICATES} per package`)
        continue
      }
      const found = readFiles(files, path, contents, findings)
      if (found === null) continue
      const note = expiryWarning(found, contents.now)
      if (note !== null) findings.warning(path, `the certificate ${note}`, 'renew it, or give another by configuration')
      certificates[role.name] = { ...certificates[role.name], [name]: found }
    }
    for (const { name, clientAuth } of role.endpoints) {
      if (clientAuth === null) continue
      const path = ['roles', role.name, 'endpoints', name, 'clientAuth', 'ca']
      const text = readText(clientAuth.ca, path, contents, findings)
      const found = text === null ? null : readAuthority(text)
      if (found === null) continue
      if ('fault' in found) findings.fault(path, `the file ${found.fault.split(';')[0]}`, order(found.fault))
      else authorities[role.name] = { ...authorities[role.name], [name]: found.ca }
    }
  }
  return { certificates, authorities }
}

/** One certificate of a configuration file; an expired one is a fault: who applies it now means it to serve. */
export function readConfiguredCertificate(
  files: CertificateFiles,
  path: readonly string[],
  contents: PackageContents,
  findings: Findings,
): Certificate | null {
  const found = readFiles(files, path, contents, findings)
  if (found === null) return null
  const note = expiryWarning(found, contents.now)
  if (isExpired(found, contents.now)) findings.fault(path, `the certificate ${note ?? 'expired'}`, 'give a current one')
  else if (note !== null) findings.warning(path, `the certificate ${note}`, 'renew it soon')
  return found
}

function readFiles(
  { cert, key }: CertificateFiles,
  path: readonly string[],
  contents: PackageContents,
  findings: Findings,
): Certificate | null {
  const chain = readText(cert, path, contents, findings)
  const secret = key === cert ? '' : readText(key, path, contents, findings)
  if (chain === null || secret === null) return null
  const read = readCertificate(`${chain}\n${secret}`)
  if ('certificate' in read) return read.certificate
  findings.fault(path, `the certificate ${read.fault.split(';')[0]}`, order(read.fault))
  return null
}

function readText(file: string, path: readonly string[], contents: PackageContents, findings: Findings): string | null {
  if (file.includes('-----')) {
    // Never cited: it may well be the key.
    findings.fault(path, 'found PEM text', 'write the path of a file that holds it')
    return null
  }
  const found = `found "${file}"`
  const kind = leaves(file) ? 'outside' : contents.kindOf(file)
  if (kind === 'outside') findings.fault(path, `${found}, which leaves the package`, 'write a path inside it')
  else if (kind === null)
    findings.fault(path, `${found}, which is not in the package`, 'write the path of a PEM file in it')
  else if (kind === 'directory')
    findings.fault(path, `${found}, which is a folder`, 'write the path of a PEM file in it')
  if (kind !== 'file') return null
  const text = contents.textOf(file)
  if (text === null) findings.fault(path, `${found}, which cannot be read`, 'write the path of a PEM file')
  return text
}

function leaves(path: string): boolean {
  return /^([/\\]|[A-Za-z]:)/.test(path) || path.split(/[/\\]/).includes('..')
}

/** The second half of a fault's words, as an order. */
function order(fault: string): string {
  return fault.split('; ')[1] ?? 'correct it'
}
