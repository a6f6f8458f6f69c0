import { satisfies, valid } from 'semver'
import { own } from '../../core/own.ts'
import type { RoleDefinition, ServiceDefinition } from '../../model/definition.ts'
import type { Blocker } from '../refusal.ts'
import type { DeploymentRecord, RoleRecord } from '../state.ts'
import { specOf } from '../instances.ts'

/**
 * What an in-place upgrade from the running roles to `next` would change that may not change in place
 * (Cloud Services, "How to update a cloud service", table of allowed changes). Each blocker names the other way.
 */
export function forbiddenChanges(
  deployment: Readonly<DeploymentRecord>,
  roles: readonly Readonly<RoleRecord>[],
  next: ServiceDefinition,
): Blocker[] {
  const blockers: Blocker[] = []
  const forbid = (message: string): void => {
    blockers.push({ code: 'change_not_allowed', message })
  }
  const otherWay = 'deploy it to staging and swap, or delete and redeploy'
  if (next.name !== deployment.service) {
    forbid(`the package is of service "${next.name}", not "${deployment.service}"`)
  }
  if (next.upgradeDomainCount !== deployment.upgradeDomainCount) {
    forbid(
      `upgradeDomainCount changes from ${deployment.upgradeDomainCount} to ${next.upgradeDomainCount}, never in place: ${otherWay}`,
    )
  }
  const running = new Map(roles.map(role => [role.name, specOf(role, role.target).definition]))
  for (const name of Object.keys(next.roles)) {
    if (!running.has(name)) forbid(`role ${name} is added, not in place in this version: ${otherWay}`)
  }
  for (const [name, before] of running) {
    const after = own(next.roles, name)
    if (after === undefined) forbid(`role ${name} is removed, not in place in this version: ${otherWay}`)
    else forbidRole(before, after, message => forbid(`role ${name}: ${message}`))
  }
  const version = valid(deployment.version)
  if (next.requires !== null && version !== null && !satisfies(version, next.requires)) {
    forbid(
      `version ${next.version} may be upgraded in place only from ${next.requires}, and ${deployment.version} runs: upgrade to such a version first`,
    )
  }
  return blockers
}

function forbidRole(before: RoleDefinition, after: RoleDefinition, forbid: (message: string) => void): void {
  if (describeEndpoints(before) !== describeEndpoints(after)) {
    forbid(
      `its endpoints change from ${describeEndpoints(before)} to ${describeEndpoints(after)}, not in place in this version: delete and redeploy`,
    )
  }
  for (const storage of before.localStorage) {
    const next = after.localStorage.find(candidate => candidate.name === storage.name)
    if (next !== undefined && next.sizeBytes < storage.sizeBytes) {
      forbid(
        `local storage ${storage.name} becomes smaller, never in place: deploy to staging and swap, or delete and redeploy`,
      )
    }
  }
}

function describeEndpoints(role: RoleDefinition): string {
  const list = role.endpoints.map(
    ({ name, protocol, port, internal, backend, proxyProtocol }) =>
      `${name} (${internal ? 'internal' : `${protocol} ${port}`}${backend === 'h1' ? '' : `, backend ${backend}`}${proxyProtocol ? ', proxyProtocol' : ''})`,
  )
  return list.length === 0 ? 'none' : list.toSorted().join(', ')
}
