import type { ConfigurationText } from '../contracts/api/bodies.ts'
import { VipswapError } from '../core/errors.ts'
import { expiryWarning, isExpired, MAX_CERTIFICATES, type Certificate } from '../model/certificate.ts'
import type { Configuration, RoleConfiguration } from '../model/definition.ts'
import { readCertificate } from '../model/read-certificate.ts'

interface ReadConfiguration {
  readonly configuration: Configuration
  readonly certificates: readonly Certificate[]
}

/**
 * Takes the certificates out of a configuration as it was sent: behind this edge it holds ids, and the keys go their own
 * way. Throws `invalid_configuration` with every certificate that cannot be used, and never a word of its text.
 */
export function readConfiguration(sent: ConfigurationText): ReadConfiguration {
  const certificates: Certificate[] = []
  const faults: string[] = []
  const now = Date.now()
  const roles = Object.entries(sent.roles).map(
    ([role, { certificates: texts, ...rest }]): [string, RoleConfiguration] => {
      if (texts === undefined) return [role, rest]
      const refs = Object.entries(texts).flatMap(([name, pem]) => {
        const read = readCertificate(pem)
        const fault = 'fault' in read ? read.fault : expiry(read.certificate, now)
        if ('fault' in read || fault !== null) {
          faults.push(`role ${role}, certificate ${name}: it ${fault}`)
          return []
        }
        certificates.push(read.certificate)
        return [[name, { id: read.certificate.id }] as const]
      })
      return [role, { ...rest, certificates: Object.fromEntries(refs) }]
    },
  )
  if (certificates.length > MAX_CERTIFICATES) {
    faults.push(`there are ${certificates.length} certificates; send at most ${MAX_CERTIFICATES} at a time`)
  }
  if (faults.length > 0) throw new VipswapError('invalid_configuration', faults.join('\n'), { faults })
  return { configuration: { roles: Object.fromEntries(roles) }, certificates }
}

function expiry(certificate: Certificate, now: number): string | null {
  return isExpired(certificate, now) ? `${expiryWarning(certificate, now)}; give a current one` : null
}
