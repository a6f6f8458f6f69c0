import type { EndpointDefinition, RoleDefinition } from './definition.ts'
import type { Findings } from './findings.ts'
import { suggest } from './nearest.ts'
import type { RoleSource } from './service-schema.ts'

type EndpointSource = NonNullable<RoleSource['endpoints']>[string]

/** Keys that mean something only where requests are told apart. */
const HTTP_ONLY = ['http2', 'backend', 'forwarded', 'serverTiming', 'maxBody'] as const

/** Keys of a role that say how its instances are chosen, which is the proxy's business. */
const BALANCING = [
  'affinity',
  'balancing',
  'slowStart',
  'weights',
  'maxConcurrent',
  'maxQueue',
  'ejection',
  'certificates',
] as const

/** Contradictions within and between a role's endpoints, and in how its instances are chosen. */
export function checkEndpoints(source: RoleSource, role: RoleDefinition, findings: Findings): void {
  for (const endpoint of role.endpoints) {
    const written = source.endpoints?.[endpoint.name]
    if (written !== undefined) checkEndpoint(written, endpoint, role, findings)
  }
  checkBalancing(source, role, findings)
}

function checkEndpoint(
  written: EndpointSource,
  endpoint: EndpointDefinition,
  role: RoleDefinition,
  findings: Findings,
): void {
  const at = (...keys: readonly string[]) => ['roles', role.name, 'endpoints', endpoint.name, ...keys]
  const { protocol } = endpoint
  if (protocol === 'https') checkHttps(written, endpoint, role, findings)
  for (const key of ['certificates', 'clientAuth'] as const) {
    if (protocol === 'https' || written[key] === undefined) continue
    findings.keyFault(at(key), `found on ${an(protocol)} endpoint`, 'write protocol: https, or remove it')
  }
  if (protocol === 'tcp') {
    for (const key of HTTP_ONLY) {
      if (written[key] === undefined || written[key] === false || written[key] === 'h1') continue
      findings.keyFault(at(key), 'found on a tcp endpoint, which passes bytes', 'remove it, or write protocol: http')
    }
    if (written.timeouts?.response !== undefined) {
      findings.keyFault(at('timeouts', 'response'), 'found on a tcp endpoint, which has no answers', 'remove it')
    }
  }
  if (endpoint.internal && endpoint.proxyProtocol) {
    findings.keyFault(at('proxyProtocol'), 'found on an internal endpoint, which only our proxy reaches', 'remove it')
  }
}

function checkHttps(
  written: EndpointSource,
  endpoint: EndpointDefinition,
  role: RoleDefinition,
  findings: Findings,
): void {
  const at = (...keys: readonly string[]) => ['roles', role.name, 'endpoints', endpoint.name, ...keys]
  if (endpoint.internal) {
    findings.fault(at('protocol'), 'found https on an internal endpoint', 'write http or tcp: TLS ends at the VIPs')
    return
  }
  const known = Object.keys(role.certificates)
  if (known.length === 0) {
    findings.fault(
      at('protocol'),
      'found https in a role without certificates',
      `write certificates: { site: path/in/package.pem } under roles.${role.name}`,
    )
    return
  }
  for (const [index, name] of (written.certificates ?? []).entries()) {
    if (known.includes(name)) continue
    findings.fault(
      at('certificates', String(index)),
      `found "${name}", which is no certificate of this role`,
      suggest(name, known),
    )
  }
}

function checkBalancing(source: RoleSource, role: RoleDefinition, findings: Findings): void {
  const at = (key: string) => ['roles', role.name, key]
  if (role.endpoints.length === 0) {
    for (const key of BALANCING) {
      if (source[key] === undefined) continue
      findings.keyFault(at(key), 'found on a role without endpoints', 'write endpoints, or remove it')
    }
    return
  }
  const protocols = new Set(role.endpoints.map(({ protocol }) => protocol))
  if (source.certificates !== undefined && !protocols.has('https')) {
    findings.keyFault(
      at('certificates'),
      'found on a role without an https endpoint',
      'write protocol: https, or remove it',
    )
  }
  if (role.affinity === 'cookie' && protocols.size === 1 && protocols.has('tcp')) {
    findings.fault(at('affinity'), 'found cookie on a role with tcp endpoints alone', 'write source, or remove it')
  }
  if (role.upstreams.length > 0 && role.weights.length > role.upstreams.length) {
    findings.fault(
      at('weights'),
      `found ${role.weights.length} weights for ${role.upstreams.length} upstreams`,
      'write one for each upstream, in their order',
    )
  }
}

function an(protocol: string): string {
  return protocol === 'http' ? 'an http' : `a ${protocol}`
}
