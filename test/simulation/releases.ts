import { createHash } from 'node:crypto'
import type { EndpointDefinition, RoleDefinition, ServiceDefinition } from '../../src/model/definition.ts'
import type { Certificate } from '../../src/model/certificate.ts'
import type { Release } from '../../src/model/release.ts'

export function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

export function endpoint(name: string, port: number, over: Partial<EndpointDefinition> = {}): EndpointDefinition {
  return {
    name,
    protocol: 'http',
    port,
    internal: false,
    backend: 'h1',
    certificates: [],
    clientAuth: null,
    http2: false,
    proxyProtocol: false,
    forwarded: false,
    maxBodyBytes: null,
    timeouts: { connectMs: null, responseMs: null, idleMs: null },
    ...over,
  }
}

export function role(name: string, over: Partial<RoleDefinition> = {}): RoleDefinition {
  return {
    name,
    kind: 'web',
    command: 'node server.js',
    upstreams: [],
    path: '.',
    instances: 2,
    endpoints: [endpoint('http', 8080)],
    probe: { kind: 'process', intervalMs: 1000, timeoutMs: 1000, healthy: 1, unhealthy: 3 },
    startTimeoutMs: 20_000,
    drainTimeoutMs: 3000,
    stopTimeoutMs: 5000,
    startup: [],
    localStorage: [],
    settings: {},
    env: {},
    size: null,
    certificates: {},
    affinity: 'none',
    balancing: 'least',
    slowStartMs: 0,
    weights: [],
    maxConcurrent: null,
    maxQueue: 1000,
    ejection: {},
    order: null,
    ...over,
  }
}

/** A certificate as the rules see one: its texts mean nothing to them. */
export function certificate(name: string, names: readonly string[], notAfter = Date.UTC(2100, 0, 1)): Certificate {
  return { id: digest(`certificate ${name}`), chain: `chain of ${name}`, key: `key of ${name}`, names, notAfter }
}

/** A package of `name` at `version`. A role listed in `unchanged` has the identity it had at that version. */
export function makeRelease(
  name: string,
  version: string,
  roles: readonly RoleDefinition[] = [role('web')],
  over: Partial<ServiceDefinition> & { unchanged?: Record<string, string> } = {},
): Release {
  const { unchanged = {}, ...rest } = over
  return {
    digest: digest(`${name}@${version}`),
    definition: {
      name,
      version,
      upgradeDomainCount: 5,
      requires: null,
      breaksData: false,
      platform: { version: null, trustLevel: 'full' },
      vips: { production: { host: '127.0.0.1', portOffset: 0 }, staging: { host: '127.0.0.1', portOffset: 1 } },
      hostNames: { production: `${name}.localhost`, staging: `staging.${name}.localhost` },
      roles: Object.fromEntries(roles.map(definition => [definition.name, definition])),
      ...rest,
    },
    identities: Object.fromEntries(
      roles.map(({ name: roleName }) => [roleName, digest(`${name}/${roleName}@${unchanged[roleName] ?? version}`)]),
    ),
    configuration: null,
    certificates: {},
    authorities: {},
    bytes: 1,
    files: 1,
  }
}
