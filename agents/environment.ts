import { delimiter, dirname } from 'node:path'
import type { AssignedInstance } from '../src/contracts/assignment.ts'
import { VipswapError } from '../src/core/errors.ts'
import { variableName } from '../src/model/environment.ts'
import type { InstanceFolders } from './folders.ts'

export interface EnvironmentFacts {
  readonly host: string
  /** Endpoint name → port of this attempt. */
  readonly ports: Readonly<Record<string, number>>
  readonly folders: InstanceFolders
  readonly roleRoot: string
  /** The agent's own variables, of which PATH and LANG are handed on. */
  readonly own: Readonly<Record<string, string | undefined>>
  /** The value of a secret by its sealed text. */
  readonly secretOf: (sealed: string) => string | null
}

/** The whole environment of a role process, nothing else. Throws `start_failed` where a secret is not known. The definition's `env` may change PATH and the like, never ours. */
export function roleEnvironment(assigned: AssignedInstance, facts: EnvironmentFacts): Record<string, string> {
  const { spec } = assigned
  const { folders, ports } = facts
  const env: Record<string, string> = {
    PATH: searchPath(facts.own['PATH']),
    HOME: folders.home,
    TMPDIR: folders.temporary,
    LANG: facts.own['LANG'] ?? 'C.UTF-8',
    ...spec.env,
    HOST: facts.host,
    ROLE_NAME: assigned.role,
    ROLE_INSTANCE_ID: assigned.instance,
    ROLE_INSTANCE_INDEX: String(assigned.index),
    ROLE_VERSION: spec.version,
    UPGRADE_DOMAIN: String(assigned.upgradeDomain),
    FAULT_DOMAIN: String(assigned.faultDomain),
    DEPLOYMENT_ID: assigned.deployment,
    SERVICE_NAME: assigned.service,
    RoleRoot: facts.roleRoot,
  }
  const [first] = spec.endpoints
  if (first !== undefined && ports[first.name] !== undefined) env['PORT'] = String(ports[first.name])
  for (const [name, port] of Object.entries(ports)) env[variableName('PORT', name)] = String(port)
  for (const { name } of spec.localStorage) env[variableName('LOCAL_STORAGE', name)] = folders.storage(name)
  for (const [name, value] of Object.entries(spec.settings)) {
    const shown = spec.secrets?.includes(name) === true ? facts.secretOf(value) : value
    if (shown === null) {
      throw new VipswapError(
        'start_failed',
        `the value of secret ${name} is not known here; the controller's log says why`,
      )
    }
    env[variableName('SETTING', name)] = shown
  }
  return { ...env, ...spec.internalEndpoints }
}

/** The agent's PATH, with the running Node's folder behind it so that `node server.js` always finds one. */
function searchPath(path = '/usr/local/bin:/usr/bin:/bin'): string {
  const node = dirname(process.execPath)
  return path.split(delimiter).includes(node) ? path : `${path}${delimiter}${node}`
}
