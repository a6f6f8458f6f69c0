import { isIP } from 'node:net'
import { parseDuration } from '../core/duration.ts'
import { readPublicKey } from '../core/minisign.ts'
import { checkSchema } from './check-schema.ts'
import { parseSize, resolveEjection } from './common.ts'
import type { Ejection } from './definition.ts'
import type { AdminTlsConfig, FabricConfig, FabricLimits, ServiceAddresses } from './fabric-config.ts'
import { FabricSchema, type FabricSource } from './fabric-schema.ts'
import { compareFaults, type Fault } from './fault.ts'
import { Findings, independentOf } from './findings.ts'
import { checkHooks, resolveHooks } from './hooks.ts'
import { parseSource } from './source-file.ts'
import { parseVipAddress, resolveVips } from './vip-address.ts'

export type LoadedFabricConfig =
  | { readonly config: FabricConfig; readonly warnings: readonly Fault[] }
  | { readonly faults: readonly Fault[] }

/** Where nothing says otherwise. */
const DEFAULT_EJECTION: Ejection = { failures: 5, baseMs: 5000, maxShare: 0.5 }

/** What holds without a `vipswap.yaml`. */
export const DEFAULT_FABRIC_CONFIG: FabricConfig = resolveConfig({}, null)

const MAX_PAGE_BYTES = 64 * 1024
const PAGE_TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  htm: 'text/html; charset=utf-8',
  txt: 'text/plain; charset=utf-8',
}

/**
 * Reads `vipswap.yaml` (or JSON): every fault with its place, or the configuration with all defaults. `textOf` reads the
 * maintenance page by its path relative to the file; null where it cannot be read.
 */
export function loadFabricConfig(
  file: string,
  text: string,
  textOf: (path: string) => string | null,
): LoadedFabricConfig {
  const { source, faults: syntax } = parseSource(file, text)
  if (syntax.length > 0) return { faults: syntax }
  // Every field is optional, so a file of comments alone is a valid one.
  if (source.root === null) return { config: DEFAULT_FABRIC_CONFIG, warnings: [] }
  const checked = checkSchema(source, FabricSchema)
  // The reader built it by the schema; only parts that were faulty are missing, and all are optional.
  const sound = (checked.value ?? {}) as FabricSource
  const findings = new Findings(source)
  checkConfig(sound, findings)
  const page = sound.maintenancePage === undefined ? null : readPage(sound.maintenancePage, textOf, findings)
  const faults = [...checked.faults, ...independentOf(checked.faults, findings.faults)].sort(compareFaults)
  return faults.length > 0
    ? { faults }
    : { config: resolveConfig(sound, page), warnings: findings.warnings.sort(compareFaults) }
}

function checkConfig(source: FabricSource, findings: Findings): void {
  checkHooks(source.hooks, ['hooks'], findings)
  for (const [name, { hooks }] of Object.entries(source.services ?? {}))
    checkHooks(hooks, ['services', name, 'hooks'], findings)
  for (const [name, line] of Object.entries(source.packages?.trustedKeys ?? {})) {
    if (readPublicKey(line) !== null) continue
    findings.fault(
      ['packages', 'trustedKeys', name],
      'found no public key',
      'write the line that `vipswap keygen` printed',
    )
  }
  if (source.packages?.requireSignature === true && Object.keys(source.packages.trustedKeys ?? {}).length === 0) {
    findings.fault(['packages', 'requireSignature'], 'found true without trusted keys', 'write trustedKeys beside it')
  }
  const addresses = [
    { path: ['vips'], vips: source.vips },
    ...Object.entries(source.services ?? {}).map(([name, { vips }]) => ({ path: ['services', name, 'vips'], vips })),
  ]
  for (const { path, vips } of addresses) {
    for (const [slot, written] of Object.entries(vips ?? {})) {
      if (parseVipAddress(written) !== null) continue
      const expected = 'write an IP address such as 10.0.0.5, 127.0.0.1:+1000 or [fd00::5]'
      findings.fault([...path, slot], `found "${written}"`, expected)
    }
  }
  for (const [index, written] of (source.trustedProxies ?? []).entries()) {
    const [address = '', bits = '0'] = written.split('/')
    const most = isIP(address) === 6 ? 128 : 32
    if (isIP(address) !== 0 && Number(bits) <= most) continue
    findings.fault(
      ['trustedProxies', String(index)],
      `found "${written}"`,
      'write an address or a network such as 10.0.0.0/8',
    )
  }
  if (source.admin?.tls?.clients !== undefined && source.admin.tls.clientCa === undefined) {
    const expected = 'write clientCa, too: the authority that signs the certificates of those clients'
    findings.fault(['admin', 'tls', 'clients'], 'found clients without clientCa', expected)
  }
  const { from, to } = resolvePortRange(source)
  if (from > to) {
    findings.fault(
      ['portRange', 'from'],
      `found ${from}, which is above ${to}`,
      'write the lower port here, the higher in to',
    )
  }
}

type Page = FabricLimits['maintenancePage']

function readPage(path: string, textOf: (path: string) => string | null, findings: Findings): Page {
  const fault = (why: string, expected: string): null => {
    findings.fault(['maintenancePage'], `found "${path}"${why}`, expected)
    return null
  }
  const contentType = PAGE_TYPES[/\.([a-z]+)$/i.exec(path)?.[1]?.toLowerCase() ?? '']
  if (contentType === undefined) return fault('', 'write a file that ends in .html, .htm or .txt')
  const body = textOf(path)
  if (body === null) return fault(', which cannot be read', 'write a file that is there, relative to this one')
  const bytes = Buffer.byteLength(body)
  if (bytes > MAX_PAGE_BYTES) return fault(`, which has ${bytes} bytes`, 'write a page of at most 64 KiB')
  return { contentType, body }
}

function resolvePortRange({ portRange }: FabricSource): { from: number; to: number } {
  return { from: portRange?.from ?? 20_000, to: portRange?.to ?? 29_999 }
}

function resolveConfig(source: FabricSource, page: Page): FabricConfig {
  const { admin = {}, packages = {} } = source
  return {
    admin: {
      host: admin.host ?? '127.0.0.1',
      port: admin.port ?? 9090,
      tokenFile: admin.tokenFile ?? null,
      tls: resolveTls(admin.tls),
      audit: { maxBytes: parseSize(admin.audit?.maxSize ?? '16MiB'), keep: admin.audit?.keep ?? 10 },
    },
    links: {
      listen: source.links?.listen ?? null,
      certificateLifeMs: parseDuration(source.links?.certificateLife ?? '21d'),
    },
    workers: source.workers ?? 1,
    vips: source.vips === undefined ? null : resolveVips(source.vips),
    services: Object.fromEntries(
      Object.entries(source.services ?? {}).map(([name, service]) => [name, resolveService(service)]),
    ),
    limits: resolveLimits(source, page),
    portRange: resolvePortRange(source),
    packages: {
      maxBytes: parseSize(packages.maxBytes ?? '1GiB'),
      maxFiles: packages.maxFiles ?? 50_000,
      keep: packages.keep ?? 10,
      requireSignature: packages.requireSignature ?? false,
      trustedKeys: packages.trustedKeys ?? {},
    },
    processes: {
      user: source.processes?.user ?? null,
      users: source.processes?.users ?? [],
      openFiles: source.processes?.openFiles ?? null,
      cgroup: source.processes?.cgroup ?? null,
    },
    secrets: { keyFile: source.secrets?.keyFile ?? null },
    sizes: Object.fromEntries(
      Object.entries(source.sizes ?? {}).map(([name, { cores, memory = '512MiB' }]) => [
        name,
        { cores, memoryBytes: parseSize(memory) },
      ]),
    ),
    quota: source.quota ?? null,
    nodeTimeoutMs: parseDuration(source.nodeTimeout ?? '5m'),
    hooks: resolveHooks(source.hooks),
    endpointDefaults: {
      maxBodyBytes: source.limits?.maxBody === undefined ? null : parseSize(source.limits.maxBody),
      ejection: withDefaults(resolveEjection(source.ejection)),
    },
  }
}

function resolveTls(tls: NonNullable<FabricSource['admin']>['tls']): AdminTlsConfig | null {
  if (tls === undefined) return null
  return { cert: tls.cert, key: tls.key, clientCa: tls.clientCa ?? null, roles: tls.clients ?? null }
}

function withDefaults(written: Partial<Ejection> | null): Ejection | null {
  return written === null ? null : { ...DEFAULT_EJECTION, ...written }
}

type HostNamesSource = NonNullable<ServiceAddresses['hostNames']>

function resolveService(service: NonNullable<FabricSource['services']>[string]): ServiceAddresses {
  const { vips, hostNames, hooks } = service
  return {
    ...(vips === undefined ? {} : { vips: resolveVips(vips) }),
    ...(hostNames === undefined ? {} : { hostNames: lowerCase(hostNames) }),
    ...(hooks === undefined ? {} : { hooks: resolveHooks(hooks) }),
  }
}

function lowerCase({ production, staging }: HostNamesSource): HostNamesSource {
  return {
    ...(production === undefined ? {} : { production: production.toLowerCase() }),
    ...(staging === undefined ? {} : { staging: staging.toLowerCase() }),
  }
}

function resolveLimits(source: FabricSource, maintenancePage: Page): FabricLimits {
  const { limits = {}, trustedProxies = [], exposeInstance = false, accessLog = false } = source
  return {
    holdTimeoutMs: parseDuration(limits.holdTimeout ?? '30s'),
    holdMax: limits.holdMax ?? 1000,
    holdBytes: parseSize(limits.holdBytes ?? '16MiB'),
    maxHeadBytes: parseSize(limits.maxHead ?? '32KiB'),
    maxHeaders: limits.maxHeaders ?? 100,
    connectTimeoutMs: parseDuration(limits.connectTimeout ?? '3s'),
    responseTimeoutMs: parseDuration(limits.responseTimeout ?? '60s'),
    idleTimeoutMs: parseDuration(limits.idleTimeout ?? '60s'),
    tunnelIdleTimeoutMs: parseDuration(limits.tunnelIdleTimeout ?? '1h'),
    keepAliveTimeoutMs: parseDuration(limits.keepAliveTimeout ?? '75s'),
    headTimeoutMs: parseDuration(limits.headTimeout ?? '10s'),
    trustedProxies,
    exposeInstance,
    accessLog: accessLog === false ? null : accessLog === 'common' ? 'common' : 'json',
    maintenancePage,
    balancerHealthPath: source.balancerHealthPath ?? null,
  }
}
