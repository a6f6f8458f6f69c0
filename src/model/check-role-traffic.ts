import type { RoleDefinition } from './definition.ts'
import type { Findings } from './findings.ts'
import { suggest } from './nearest.ts'
import type { RoleSource } from './service-schema.ts'

/** A package lies as it is on disks and in caches: what is in it is no secret. */
export const SECRET_ELSEWHERE =
  'leave it out here, and give it by `vipswap deploy --config FILE` or `config apply FILE`'

/** What `slotSettings`, `warmUp` and `verify` name must be there, and must speak HTTP. */
export function checkRoleTraffic(source: RoleSource, role: RoleDefinition, findings: Findings): void {
  const at = (...rest: readonly string[]) => ['roles', role.name, ...rest]
  for (const [name, values] of Object.entries(source.slotSettings ?? {})) {
    if (role.secrets?.includes(name) === true) {
      for (const slot of Object.keys(values))
        findings.keyFault(at('slotSettings', name, slot), 'is a value of a secret', SECRET_ELSEWHERE)
      continue
    }
    if (source.settings !== undefined && Object.hasOwn(source.settings, name)) continue
    const missing = (['production', 'staging'] as const).filter(slot => values[slot] === undefined)
    if (missing.length === 0) continue
    const expected = `write one, or a default under settings: { ${name}: … }`
    findings.keyFault(at('slotSettings', name), `has no value for ${missing.join(' and ')}`, expected)
  }
  for (const key of ['warmUp', 'verify'] as const) {
    for (const [index, written] of (source[key] ?? []).entries()) {
      const names = role.endpoints.filter(({ protocol }) => protocol !== 'tcp').map(({ name }) => name)
      const path = at(key, String(index))
      const name = role[key]?.[index]?.endpoint ?? ''
      const endpoint = role.endpoints.find(candidate => candidate.name === name)
      if (endpoint === undefined || endpoint.protocol === 'tcp') {
        if (written.endpoint === undefined) {
          findings.keyFault(path, 'is on a role without an http or https endpoint', 'write one, or leave it out')
        } else {
          const found = `found "${written.endpoint}", which is no http or https endpoint of this role`
          findings.fault([...path, 'endpoint'], found, suggest(written.endpoint, names))
        }
        continue
      }
      if (key === 'warmUp' && endpoint.backend === 'h2c')
        findings.keyFault(path, `asks endpoint ${name}, whose instances speak h2c`, 'name an endpoint with backend: h1')
      if (key === 'verify' && endpoint.internal)
        findings.keyFault(path, `asks endpoint ${name}, which no VIP leads to`, 'name one that is not internal')
      if (key === 'verify' && endpoint.clientAuth?.required === true)
        findings.keyFault(path, `asks endpoint ${name}, which wants a client certificate`, 'name another endpoint')
    }
  }
}
