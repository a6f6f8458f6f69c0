import { parseDuration } from '../core/duration.ts'
import type { CertificateFiles } from './certificate.ts'
import { parseSize, resolveEjection } from './common.ts'
import type { CapacityFloor, EndpointDefinition, Probe, RoleDefinition, ServiceDefinition } from './definition.ts'
import { resolveSlotValues, settingText, resolveVerify, resolveWarmUp } from './role-traffic.ts'
import type { RoleSource, ServiceSource } from './service-schema.ts'
import { resolveVips } from './vip-address.ts'

/** What the package holds at a relative path with `/`; `.` is its root. */
export type PathKind = (path: string) => 'file' | 'directory' | null

/** The value at a path as it was written, so that the setting `1.10` stays `1.10`. */
export type TextAt = (path: readonly string[]) => string | undefined

/** Fills in every default. Expects what the schema accepted; faults of meaning are looked for afterwards. */
export function resolveDefinition(source: ServiceSource, textAt: TextAt, kindOf: PathKind): ServiceDefinition {
  const { name, version, upgradeDomainCount = 5, requires = null, breaksData = false } = source
  const host = name.toLowerCase()
  const { production = `${host}.localhost`, staging = `staging.${host}.localhost` } = source.hostNames ?? {}
  return {
    name,
    version,
    upgradeDomainCount,
    requires,
    breaksData,
    platform: { version: source.platform?.version ?? null, trustLevel: source.platform?.trustLevel ?? 'full' },
    vips: resolveVips(source.vips),
    hostNames: { production: production.toLowerCase(), staging: staging.toLowerCase() },
    roles: mapValues(source.roles, (role, key) => resolveRole(key, role, textAt, kindOf)),
  }
}

function resolveRole(name: string, role: RoleSource, textAt: TextAt, kindOf: PathKind): RoleDefinition {
  const endpoints = Object.entries(role.endpoints ?? {}).map(([endpoint, source]): EndpointDefinition => {
    return resolveEndpoint(endpoint, source, Object.keys(role.certificates ?? {}))
  })
  const texts = (key: 'settings' | 'env') =>
    mapValues(role[key] ?? {}, (value, setting) => textAt(['roles', name, key, setting]) ?? settingText(value))
  const secrets = Object.entries(role.settings ?? {}).flatMap(([setting, value]) =>
    typeof value === 'object' ? [setting] : [],
  )
  return {
    name,
    kind: role.kind ?? (endpoints.length > 0 ? 'web' : 'worker'),
    command: role.command ?? null,
    upstreams: role.upstreams ?? [],
    path: normalisePath(role.path) ?? (kindOf(name) === 'directory' ? name : '.'),
    instances: role.instances ?? Math.max(1, role.upstreams?.length ?? 1),
    endpoints,
    probe: resolveProbe(role.probe ?? {}, endpoints),
    startTimeoutMs: parseDuration(role.startTimeout ?? '30m'),
    drainTimeoutMs: parseDuration(role.drainTimeout ?? '30s'),
    stopTimeoutMs: parseDuration(role.stopTimeout ?? '30s'),
    startup: role.startup ?? [],
    localStorage: Object.entries(role.localStorage ?? {}).map(
      ([storage, { size = '100MiB', cleanOnRecycle = false }]) => ({
        name: storage,
        sizeBytes: parseSize(size),
        cleanOnRecycle,
      }),
    ),
    ...resolveSlotSettings(role, name, texts('settings'), textAt),
    ...(secrets.length === 0 ? {} : { secrets }),
    ...(role.warmUp === undefined ? {} : { warmUp: resolveWarmUp(role.warmUp, endpoints) }),
    ...(role.verify === undefined ? {} : { verify: resolveVerify(role.verify, endpoints) }),
    ...(role.settingsReload === undefined ? {} : { settingsReload: role.settingsReload.signal }),
    env: texts('env'),
    size: role.size ?? null,
    ...(role.user === undefined ? {} : { user: role.user }),
    certificates: mapValues(role.certificates ?? {}, resolveFiles),
    affinity: role.affinity ?? 'none',
    balancing: role.balancing ?? 'least',
    slowStartMs: parseDuration(role.slowStart ?? '0s'),
    weights: role.weights ?? [],
    maxConcurrent: role.maxConcurrent ?? null,
    maxQueue: role.maxQueue ?? 1000,
    ejection: resolveEjection(role.ejection),
    order: role.order ?? null,
    capacityFloor: resolveFloor(role.capacityFloor),
  }
}

/** A setting with a value for each slot needs none in `settings`. */
function resolveSlotSettings(
  { slotSettings }: RoleSource,
  name: string,
  settings: Readonly<Record<string, string>>,
  textAt: TextAt,
): Pick<RoleDefinition, 'settings' | 'slotSettings'> {
  if (slotSettings === undefined) return { settings }
  const bound = resolveSlotValues(slotSettings, ['roles', name, 'slotSettings'], textAt)
  return { settings: { ...mapValues(bound, ({ production = '' }) => production), ...settings }, slotSettings: bound }
}

function resolveFloor(source: RoleSource['capacityFloor']): CapacityFloor | null {
  if (source === undefined) return null
  return typeof source === 'number'
    ? { unit: 'instances', value: source }
    : { unit: 'percent', value: Number(source.slice(0, -1)) }
}

type EndpointSource = NonNullable<RoleSource['endpoints']>[string]

function resolveEndpoint(name: string, source: EndpointSource, roleCertificates: string[]): EndpointDefinition {
  const { protocol = 'http', clientAuth, maxBody, timeouts = {} } = source
  const https = protocol === 'https'
  const ms = (duration: string | undefined) => (duration === undefined ? null : parseDuration(duration))
  return {
    name,
    protocol,
    port: source.port ?? 0,
    internal: source.internal ?? false,
    backend: source.backend ?? 'h1',
    certificates: https ? (source.certificates ?? roleCertificates) : [],
    clientAuth:
      https && clientAuth !== undefined
        ? { ca: relativePath(clientAuth.ca), required: clientAuth.required ?? true }
        : null,
    http2: source.http2 ?? https,
    proxyProtocol: source.proxyProtocol ?? false,
    forwarded: source.forwarded ?? false,
    ...(source.serverTiming === true ? { serverTiming: true } : {}),
    maxBodyBytes: maxBody === undefined ? null : parseSize(maxBody),
    timeouts: { connectMs: ms(timeouts.connect), responseMs: ms(timeouts.response), idleMs: ms(timeouts.idle) },
  }
}

/** Of `site.pem` or `{ cert, key }`; null where nothing is written. */
export function resolveFiles(
  source: string | { readonly cert: string; readonly key: string } | null,
): CertificateFiles | null {
  if (source === null) return null
  const { cert, key } = typeof source === 'string' ? { cert: source, key: source } : source
  return { cert: relativePath(cert), key: relativePath(key) }
}

/** As `normalisePath`; an absolute one stays as it is, so that it can be refused. One that was faulty is missing. */
function relativePath(path = ''): string {
  return path.startsWith('/') ? path : (normalisePath(path) ?? path)
}

function resolveProbe(source: NonNullable<RoleSource['probe']>, endpoints: readonly EndpointDefinition[]): Probe {
  const clock = {
    intervalMs: parseDuration(source.interval ?? '1s'),
    timeoutMs: parseDuration(source.timeout ?? '2s'),
    healthy: source.healthy ?? 1,
    unhealthy: source.unhealthy ?? 3,
  }
  const endpoint = source.endpoint ?? endpoints[0]?.name
  const kind = source.protocol ?? (source.path !== undefined ? 'http' : 'tcp')
  if (endpoint === undefined || kind === 'process') return { kind: 'process', ...clock }
  return kind === 'http' ? { kind, endpoint, path: source.path ?? '/', ...clock } : { kind, endpoint, ...clock }
}

/** `./web/` → `web`; undefined stays so that the default applies. */
export function normalisePath(path: string | undefined): string | undefined {
  if (path === undefined) return undefined
  const parts = path.split('/').filter(part => part !== '' && part !== '.')
  return parts.length === 0 ? '.' : parts.join('/')
}

function mapValues<T, U>(record: Readonly<Record<string, T>>, map: (value: T, key: string) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value, key)]))
}
