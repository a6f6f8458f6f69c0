import { own } from '../core/own.ts'
import type { Slot } from '../model/slot.ts'
import type { Configuration, EndpointDefinition, RoleDefinition, ServiceDefinition } from '../model/definition.ts'
import type { Release } from '../model/release.ts'
import type { ChangeKind } from './allowed-changes.ts'
import { configurationOf } from './certificates.ts'
import { specOf } from './instances.ts'
import { canonicalSettings, instanceCount, makeSpec } from './specs.ts'
import type { DeploymentRecord, RoleRecord } from './state.ts'

/** One difference between what runs and what is to. */
export interface Change {
  readonly kind: ChangeKind
  /** null: of the whole service. */
  readonly role: string | null
  /** What changes, from what to what. */
  readonly what: string
}

/** What runs, and what is asked for instead. */
export interface Comparison {
  readonly deployment: Readonly<DeploymentRecord>
  readonly roles: readonly Readonly<RoleRecord>[]
  readonly release: Release
  readonly configuration: Configuration
  /** Only this role counts; null: all. */
  readonly only: string | null
  /** Whose values the settings get that belong to a slot. */
  readonly slot: Slot
}

/** Every difference that the table of allowed changes knows, save the version path. */
export function detectChanges(comparison: Comparison): Change[] {
  const { deployment, roles, release, only } = comparison
  const { definition } = release
  const changes: Change[] = []
  if (definition.upgradeDomainCount !== deployment.upgradeDomainCount) {
    const what = `upgradeDomainCount changes from ${deployment.upgradeDomainCount} to ${definition.upgradeDomainCount}`
    changes.push({ kind: 'domainCount', role: null, what })
  }
  const counts = (name: string): boolean => only === null || only === name
  const running = roles.filter(({ name }) => counts(name))
  changes.push(...platformChanges(running, definition))
  for (const name of Object.keys(definition.roles).filter(counts)) {
    if (running.some(role => role.name === name)) continue
    changes.push({ kind: 'roleAdded', role: name, what: 'it is added' })
  }
  for (const role of running) {
    const after = own(definition.roles, role.name)
    if (after === undefined) {
      // One that the walk under way is adding or removing never ran as a whole, or was given leave to go.
      const { added = [], removed = [] } = deployment.upgrade ?? {}
      if (!added.includes(role.name) && !removed.includes(role.name))
        changes.push({ kind: 'roleRemoved', role: role.name, what: 'it is removed' })
    } else changes.push(...roleChanges(comparison, role, after))
  }
  return changes
}

function platformChanges(roles: readonly Readonly<RoleRecord>[], { platform }: ServiceDefinition): Change[] {
  const before = roles.map(role => specOf(role, role.target).platform)
  const changed = <K extends keyof typeof platform>(key: K) => before.find(one => one[key] !== platform[key])
  const [version, trust] = [changed('version'), changed('trustLevel')]
  const changes: Change[] = []
  const say = (from: string | null, to: string | null): string => `changes from ${from ?? 'none'} to ${to ?? 'none'}`
  if (version !== undefined) {
    const what = `platform.version ${say(version.version, platform.version)}`
    changes.push({ kind: 'platformVersion', role: null, what })
  }
  if (trust !== undefined) {
    const what = `platform.trustLevel ${say(trust.trustLevel, platform.trustLevel)}`
    changes.push({ kind: 'trustLevel', role: null, what })
  }
  return changes
}

function* roleChanges(
  { deployment, release, configuration, slot }: Comparison,
  role: Readonly<RoleRecord>,
  after: RoleDefinition,
): Iterable<Change> {
  const current = specOf(role, role.target)
  const before = current.definition
  const next = makeSpec(release, after, configuration, slot)
  const change = (kind: ChangeKind, what: string): Change => ({ kind, role: role.name, what })
  if (before.upstreams.length > 0 !== after.upstreams.length > 0) {
    const [from, to] = before.upstreams.length > 0 ? ['upstreams', 'command'] : ['command', 'upstreams']
    yield change('runKind', `${from} becomes ${to}`)
  }
  const [have, want] = [
    role.instances.filter(({ next: way }) => way !== 'remove').length,
    instanceCount(after, configuration),
  ]
  if (have !== want) yield change('instanceCount', `instances change from ${have} to ${want}`)
  if (before.size !== after.size) {
    yield change('size', `size changes from ${before.size ?? 'none'} to ${after.size ?? 'none'}`)
  }
  yield* storageChanges(before, after, change)
  yield* endpointChanges(before, after, change)
  const names = (settings: object): string => Object.keys(settings).toSorted().join(', ') || 'none'
  if (names(current.settings) !== names(next.settings)) {
    yield change('settingNames', `settings change from ${names(current.settings)} to ${names(next.settings)}`)
  } else if (canonicalSettings(current.settings) !== canonicalSettings(next.settings)) {
    const changed = Object.keys(next.settings).filter(name => current.settings[name] !== next.settings[name])
    yield change('settingValues', `settings ${changed.join(', ')} get other values`)
  }
  yield* certificateChanges(before, after, configurationOf(deployment), configuration, change)
  if (current.identity !== next.identity) yield change('code', `its files or definition differ (${next.version})`)
}

type Say = (kind: ChangeKind, what: string) => Change

function* storageChanges(before: RoleDefinition, after: RoleDefinition, change: Say): Iterable<Change> {
  for (const { name, sizeBytes } of before.localStorage) {
    const next = after.localStorage.find(storage => storage.name === name)
    if (next === undefined) yield change('storageSmaller', `local storage ${name} is removed`)
    else if (next.sizeBytes !== sizeBytes) {
      const kind = next.sizeBytes < sizeBytes ? 'storageSmaller' : 'storageLarger'
      const how = kind === 'storageSmaller' ? 'smaller' : 'larger'
      yield change(kind, `local storage ${name} becomes ${how}, from ${sizeBytes} to ${next.sizeBytes} bytes`)
    }
  }
  for (const { name } of after.localStorage) {
    if (before.localStorage.every(storage => storage.name !== name))
      yield change('storageLarger', `local storage ${name} is added`)
  }
}

function* endpointChanges(before: RoleDefinition, after: RoleDefinition, change: Say): Iterable<Change> {
  for (const endpoint of before.endpoints) {
    const next = after.endpoints.find(({ name }) => name === endpoint.name)
    if (next === undefined) {
      yield change('endpoints', `endpoint ${describe(endpoint)} is removed`)
      continue
    }
    if (speechOf(endpoint) !== speechOf(next)) {
      yield change('endpointSpeech', `endpoint ${endpoint.name}: ${speechOf(endpoint)} becomes ${speechOf(next)}`)
    } else if (endpoint.proxyProtocol !== next.proxyProtocol) {
      const what = `endpoint ${endpoint.name}: proxyProtocol becomes ${String(next.proxyProtocol)}`
      yield change('endpointProxyProtocol', what)
    } else if (describe(endpoint) !== describe(next)) {
      yield change('endpoints', `endpoint ${describe(endpoint)} becomes ${describe(next)}`)
    }
  }
  for (const endpoint of after.endpoints) {
    if (before.endpoints.every(({ name }) => name !== endpoint.name))
      yield change('endpoints', `endpoint ${describe(endpoint)} is added`)
  }
}

/** What an instance must understand: TLS ends at the proxy. */
export function speechOf({ protocol, backend }: EndpointDefinition): 'tcp' | 'http' | 'h2c' {
  return protocol === 'tcp' ? 'tcp' : backend === 'h2c' ? 'h2c' : 'http'
}

function describe({ name, protocol, port, internal }: EndpointDefinition): string {
  return `${name} (${protocol} ${internal ? 'internal' : port})`
}

function* certificateChanges(
  before: RoleDefinition,
  after: RoleDefinition,
  configured: Configuration,
  wanted: Configuration,
  change: Say,
): Iterable<Change> {
  const idsOf = ({ roles }: Configuration) => own(roles, after.name)?.certificates ?? {}
  const [old, now] = [idsOf(configured), idsOf(wanted)]
  for (const name of Object.keys(after.certificates)) {
    if (!Object.hasOwn(before.certificates, name)) yield change('certificateAdded', `certificate ${name} is new`)
    else if (own(old, name)?.id !== own(now, name)?.id)
      yield change('certificateChanged', `certificate ${name} is another`)
  }
}
