import type { ActionView, DeploymentView } from '../../contracts/api/deployment.ts'
import type { ServiceView } from '../../contracts/api/service.ts'
import { covers, type AccessRole } from '../../core/access-role.ts'
import { VipswapError } from '../../core/errors.ts'
import { own } from '../../core/own.ts'
import type { Caller } from './caller.ts'

/**
 * Which role a call needs, by its id: the one table of it, printed in docs/security.md and in the OpenAPI document. What
 * is not in it needs an admin.
 */
export const ROLE_OF_CALL: Readonly<Record<string, AccessRole>> = {
  // Reads. Logs are: who may see that an instance fails has to see why.
  listServices: 'viewer',
  getService: 'viewer',
  getDeployment: 'viewer',
  getHealth: 'viewer',
  explainInstance: 'viewer',
  readLog: 'viewer',
  listOperations: 'viewer',
  getOperation: 'viewer',
  getReceipt: 'viewer',
  followEvents: 'viewer',
  getTraffic: 'viewer',
  getRecovery: 'viewer',
  getTrafficSeries: 'viewer',
  listMarks: 'viewer',
  listNodes: 'viewer',
  listMembers: 'viewer',
  readMetrics: 'viewer',
  getDocument: 'viewer',
  getApiPage: 'viewer',
  getErrorsPage: 'viewer',
  isAlive: 'viewer',
  isReady: 'viewer',
  whoAmI: 'viewer',
  // Changes nothing.
  plan: 'viewer',
  // Everything on what a service runs, and what it runs.
  addPackage: 'operator',
  createDeployment: 'operator',
  deleteDeployment: 'operator',
  swap: 'operator',
  upgrade: 'operator',
  changeUpgrade: 'operator',
  walk: 'operator',
  rollback: 'operator',
  configure: 'operator',
  setStatus: 'operator',
  pause: 'operator',
  resume: 'operator',
  reportHealth: 'operator',
  makeMark: 'operator',
  reboot: 'operator',
  reimage: 'operator',
  drain: 'operator',
  undrain: 'operator',
  force: 'operator',
  // Whatever the instance does with a request, it is done to what runs.
  askInstance: 'operator',
  askInstanceRoot: 'operator',
  openInstance: 'operator',
  // The fabric itself, and what cannot be made again.
  deleteService: 'admin',
  drainNode: 'admin',
  undrainNode: 'admin',
  collectPackages: 'admin',
  // What was lost stays lost: not an operator's to decide.
  acceptRecovery: 'admin',
  makeJoinToken: 'admin',
  removeMember: 'admin',
}

/** The role that a call needs. */
export function roleOf(call: string): AccessRole {
  return own(ROLE_OF_CALL, call) ?? 'admin'
}

/** Throws `forbidden`, naming the role that it takes. */
export function checkRole(caller: Caller, call: string): void {
  const needed = roleOf(call)
  if (!covers(caller.role, needed)) throw new VipswapError('forbidden', reason(caller, needed), { needed })
}

const CALL_OF_ACTION = {
  swap: 'swap',
  upgrade: 'upgrade',
  walk: 'walk',
  rollback: 'rollback',
  scale: 'configure',
  suspend: 'setStatus',
  start: 'setStatus',
  delete: 'deleteDeployment',
} as const satisfies Record<keyof DeploymentView['actions'], string>

/** The deployment as this caller may act on it: what his role does not allow is not allowed, and says so. */
export function deploymentFor<T extends DeploymentView | null>(caller: Caller, deployment: T): T {
  if (deployment === null || caller.role === 'admin') return deployment
  const actions = Object.fromEntries(
    Object.entries(deployment.actions).map(([name, action]): [string, ActionView] => {
      const needed = roleOf(CALL_OF_ACTION[name as keyof typeof CALL_OF_ACTION])
      if (covers(caller.role, needed)) return [name, action]
      return [name, { allowed: false, code: 'forbidden', reason: reason(caller, needed) }]
    }),
  )
  return { ...deployment, actions }
}

export function serviceFor(caller: Caller, service: ServiceView): ServiceView {
  const { production, staging } = service.slots
  return {
    ...service,
    slots: { production: deploymentFor(caller, production), staging: deploymentFor(caller, staging) },
  }
}

function reason({ name, role }: Caller, needed: AccessRole): string {
  return `this takes the role ${needed}, and ${name} is a${role === 'operator' ? 'n' : ''} ${role}`
}
