import semver from 'semver'
import { checkEndpoints } from './check-endpoints.ts'
import { checkRoleTraffic } from './check-role-traffic.ts'
import { checkPorts } from './check-ports.ts'
import type { RoleDefinition, ServiceDefinition } from './definition.ts'
import { RESERVED_VARIABLES, variableName } from './environment.ts'
import type { Findings } from './findings.ts'
import { suggest } from './nearest.ts'
import { canStandBeside, floorCount, startsFirst } from './order.ts'
import { normalisePath, type PathKind } from './resolve-definition.ts'
import type { RoleSource, ServiceSource } from './service-schema.ts'
import { parseVipAddress } from './vip-address.ts'

/** Looks for what the schema cannot say: things that contradict each other, or that are not there. */
export function checkDefinition(
  source: ServiceSource,
  definition: ServiceDefinition,
  kindOf: PathKind,
  findings: Findings,
): void {
  for (const slot of ['production', 'staging'] as const) {
    const written = source.vips?.[slot]
    if (written !== undefined && parseVipAddress(written) === null) {
      findings.fault(
        ['vips', slot],
        `found "${written}"`,
        'write an IP address such as 10.0.0.5, 127.0.0.1:+1000 or [fd00::5]',
      )
    }
  }
  if (definition.hostNames.production === definition.hostNames.staging) {
    findings.fault(['hostNames', 'staging'], "found production's host name", 'write a name of its own')
  }
  if (definition.requires !== null && semver.validRange(definition.requires) === null) {
    findings.fault(
      ['requires'],
      `found "${definition.requires}"`,
      'write a range of versions such as ">=1.5.0" or "1.x"',
    )
  }
  if (definition.upgradeDomainCount === 1) {
    findings.warning(
      ['upgradeDomainCount'],
      'with 1 every upgrade stops all instances together: not rolling, and without a guarantee',
      'write 2 or more',
    )
  }
  for (const role of Object.values(definition.roles)) {
    const written = source.roles[role.name]
    if (written !== undefined) checkRole(written, role, definition.upgradeDomainCount, kindOf, findings)
  }
  checkPorts(definition, findings)
  checkVariables(definition, findings)
}

function checkRole(
  source: RoleSource,
  role: RoleDefinition,
  domains: number,
  kindOf: PathKind,
  findings: Findings,
): void {
  const at = (...rest: readonly string[]) => ['roles', role.name, ...rest]
  if (source.command !== undefined && source.upstreams !== undefined) {
    findings.fault(
      at('upstreams'),
      'found both command and upstreams',
      'keep one: command to run it, upstreams to front it',
    )
  } else if (source.command === undefined && source.upstreams === undefined) {
    findings.keyFault(at(), 'has neither command nor upstreams', 'write command: what starts it')
  }
  checkUpstreams(source, role, findings)
  checkPath(source, role, kindOf, findings)
  checkProbe(source, role, findings)
  checkEndpoints(source, role, findings)
  checkRoleTraffic(source, role, findings)
  if (role.kind === 'web' && role.endpoints.length === 0) {
    findings.fault(at('kind'), 'found web without endpoints', 'write endpoints, or kind: worker')
  }
  for (const [index, endpoint] of role.endpoints.entries()) {
    const written = source.endpoints?.[endpoint.name]
    const path = at('endpoints', endpoint.name)
    if (!endpoint.internal && written?.port === undefined) {
      findings.keyFault([...path, 'port'], 'is missing', 'write the public port, 0 for a free one, or internal: true')
    }
    if (index > 0 && role.upstreams.length > 0) {
      findings.keyFault(path, 'found a second endpoint beside upstreams', 'write one role per upstream port')
    }
  }
  if (role.instances === 1 && role.command !== null && role.endpoints.length > 0) {
    findings.warning(
      at(...(source.instances === undefined ? [] : ['instances'])),
      startsFirst(role, 1)
        ? 'one instance has none beside it when it fails'
        : 'one instance cannot be upgraded in place without a gap',
      'write instances: 2 or more, or deploy to staging and swap',
    )
  }
  checkOrder(role, domains, findings, at)
}

/** Start-first needs a second process beside the first; a floor must leave room for one domain to go down. */
function checkOrder(
  role: RoleDefinition,
  domains: number,
  findings: Findings,
  at: (...rest: readonly string[]) => string[],
): void {
  if (role.order === 'start-first' && !canStandBeside(role)) {
    const why =
      role.localStorage.length > 0
        ? 'local storage, which two processes cannot share'
        : role.command === null
          ? 'upstreams, which vipswap does not start'
          : 'a worker, of which two would work at a time'
    findings.fault(at('order'), `found start-first with ${why}`, 'leave it out, or write stop-first')
  }
  const { capacityFloor } = role
  if (capacityFloor == null || role.instances === 0 || startsFirst(role, role.instances)) return
  const left = role.instances - Math.ceil(role.instances / domains)
  if (floorCount(capacityFloor, role.instances) > left) {
    findings.warning(
      at('capacityFloor'),
      `while a domain is down ${left} of ${role.instances} instances are left, so no upgrade goes on by itself`,
      `write ${left} or less, more instances, or order: start-first`,
    )
  }
}

function checkUpstreams(source: RoleSource, role: RoleDefinition, findings: Findings): void {
  if (source.upstreams === undefined) return
  if (role.endpoints.length === 0) {
    findings.keyFault(
      ['roles', role.name],
      'has upstreams and no endpoint',
      'write endpoints: where callers reach them',
    )
  }
  if (source.command === undefined && (source.instances ?? source.upstreams.length) !== source.upstreams.length) {
    const count = source.upstreams.length
    findings.fault(
      ['roles', role.name, 'instances'],
      `found ${source.instances} for ${count} upstreams`,
      `write ${count} or leave it out`,
    )
  }
  for (const [index, upstream] of source.upstreams.entries()) {
    const port = Number(/\d+$/.exec(upstream)?.[0])
    if (port > 65535)
      findings.fault(
        ['roles', role.name, 'upstreams', String(index)],
        `found port ${port}`,
        'write a port from 1 to 65535',
      )
  }
}

function checkPath(source: RoleSource, role: RoleDefinition, kindOf: PathKind, findings: Findings): void {
  if (source.path === undefined) return
  const path = ['roles', role.name, 'path']
  const found = `found "${source.path}"`
  if (/^([/\\]|[A-Za-z]:)/.test(source.path) || source.path.split(/[/\\]/).includes('..')) {
    findings.fault(path, `${found}, which leaves the package`, 'write a folder inside it, for example web')
    return
  }
  const kind = kindOf(normalisePath(source.path) ?? '.')
  if (kind === null)
    findings.fault(path, `${found}, which is not in the package`, 'write a folder that is, or . for its root')
  if (kind === 'file') findings.fault(path, `${found}, which is a file`, 'write the folder that holds it')
}

function checkProbe(source: RoleSource, role: RoleDefinition, findings: Findings): void {
  const { probe } = source
  if (probe === undefined) return
  const at = (key: string) => ['roles', role.name, 'probe', key]
  const names = role.endpoints.map(endpoint => endpoint.name)
  const { protocol = probe.path === undefined ? undefined : 'http' } = probe
  if (probe.endpoint !== undefined && !names.includes(probe.endpoint)) {
    findings.fault(
      at('endpoint'),
      `found "${probe.endpoint}", which is no endpoint of this role`,
      suggest(probe.endpoint, names),
    )
  } else if (protocol !== undefined && protocol !== 'process' && names.length === 0) {
    const key = probe.path === undefined ? 'protocol' : 'path'
    findings.fault(at(key), `found ${protocol} on a role without endpoints`, 'write endpoints, or leave the probe out')
  }
  if (probe.path !== undefined && protocol !== 'http') {
    findings.fault(at('path'), `found a path for a ${protocol} probe`, 'remove it, or write protocol: http')
  }
}

/** Names that differ only in case or in - against _ become the same variable. */
function checkVariables(definition: ServiceDefinition, findings: Findings): void {
  const endpoints = new Map<string, string>()
  distinct(findings, ['roles'], Object.keys(definition.roles), '')
  for (const role of Object.values(definition.roles)) {
    const at = (key: string) => ['roles', role.name, key]
    for (const { name } of role.endpoints) {
      const variable = variableName('ENDPOINT', role.name, name)
      const other = endpoints.get(variable)
      if (other !== undefined && !other.startsWith(`roles.${role.name}.`)) {
        findings.keyFault([...at('endpoints'), name], `becomes ${variable}, as ${other} does`, 'write another name')
      }
      endpoints.set(variable, `roles.${role.name}.endpoints.${name}`)
    }
    distinct(
      findings,
      at('endpoints'),
      role.endpoints.map(({ name }) => name),
      'PORT',
    )
    distinct(findings, at('settings'), Object.keys(role.settings), 'SETTING')
    distinct(
      findings,
      at('localStorage'),
      role.localStorage.map(({ name }) => name),
      'LOCAL_STORAGE',
    )
    for (const name of Object.keys(role.env)) {
      if (RESERVED_VARIABLES.has(name) || /^(PORT|SETTING|LOCAL_STORAGE|ENDPOINT)_/.test(name)) {
        findings.keyFault([...at('env'), name], `${name} is set by vipswap`, 'write another name')
      }
    }
  }
}

function distinct(findings: Findings, path: readonly string[], names: readonly string[], prefix: string): void {
  const seen = new Map<string, string>()
  for (const name of names) {
    const variable = prefix === '' ? variableName(name) : variableName(prefix, name)
    const other = seen.get(variable)
    if (other !== undefined) {
      findings.keyFault(
        [...path, name],
        `becomes ${variable}, as "${other}" does`,
        'write a name that differs in letters',
      )
    }
    seen.set(variable, name)
  }
}
