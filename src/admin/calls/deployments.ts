import { DeploymentView } from '../../contracts/api/deployment.ts'
import { PlanView } from '../../contracts/api/plan.ts'
import type { ErrorCode } from '../../core/errors.ts'
import { command, reading } from './call.ts'
import { DEPLOYMENT, DIGEST } from './examples.ts'

/** Of every call on the deployment in a slot. */
const OF_SLOT = ['service_not_found', 'slot_empty'] as const satisfies ErrorCode[]
/** Where instances may come to be placed. */
const PLACING = [
  'no_nodes',
  'no_room',
  'quota_exceeded',
  'unknown_size',
  'user_not_allowed',
] as const satisfies ErrorCode[]
/** Where a package comes to be used. */
const PACKAGE = [
  'signature_required',
  'signature_invalid',
  'package_not_found',
  'invalid_configuration',
  'address_conflict',
  'certificate_conflict',
  'change_not_allowed',
] as const satisfies ErrorCode[]
/** Where a walk begins. */
const WALKING = [
  ...PLACING,
  'operation_in_progress',
  'upgrade_in_progress',
  'not_running',
  'nothing_to_do',
  'identical_target',
  'role_not_found',
  'force_required',
  'invalid_policy',
] as const satisfies ErrorCode[]

export const GET_SLOT = reading({
  id: 'getDeployment',
  tag: 'deployments',
  summary: 'The deployment in a slot: roles, instances, what may be done with it and why not.',
  description: '`?wait=SECONDS` is as with a service.',
  schema: DeploymentView,
  problems: ['service_not_found', 'deployment_not_found'],
  conditional: 'tagged',
  example: DEPLOYMENT,
})

export const CREATE = command({
  id: 'createDeployment',
  tag: 'deployments',
  summary: 'Deploy a package to a slot; the service comes into being with its first deployment.',
  problems: [...PLACING, ...PACKAGE, 'slot_occupied', 'operation_in_progress', 'port_in_use', 'service_not_found'],
  example: { package: DIGEST, label: 'first', configuration: { roles: { web: { instances: 2 } } } },
})

export const DELETE = command({
  id: 'deleteDeployment',
  tag: 'deployments',
  summary: 'Drain and delete the deployment in a slot.',
  problems: [...OF_SLOT, 'operation_in_progress'],
})

export const UPGRADE = command({
  id: 'upgrade',
  tag: 'deployments',
  summary: 'Upgrade a deployment in place, one upgrade domain at a time.',
  problems: [...OF_SLOT, ...PACKAGE, ...WALKING, 'deployment_not_found'],
  example: { package: DIGEST, mode: 'monitored', policy: 'default' },
})

export const CHANGE_UPGRADE = command({
  id: 'changeUpgrade',
  tag: 'deployments',
  summary: 'Change mode or policy of the upgrade that runs.',
  problems: [...OF_SLOT, 'no_upgrade', 'change_not_allowed', 'invalid_policy', 'deployment_not_found'],
  example: { mode: 'manual' },
})

export const WALK = command({
  id: 'walk',
  tag: 'deployments',
  summary: 'Walk the next upgrade domain of an upgrade that waits for it.',
  problems: [...OF_SLOT, 'no_upgrade', 'walk_not_allowed', 'deployment_not_found', 'operation_in_progress'],
  example: { domain: 1 },
})

export const ROLLBACK = command({
  id: 'rollback',
  tag: 'deployments',
  summary: 'Take an upgrade, or a scale, back.',
  problems: [
    ...OF_SLOT,
    'rollback_not_allowed',
    'identical_target',
    'no_upgrade',
    'deployment_not_found',
    'quota_exceeded',
  ],
  example: { mode: 'auto' },
})

export const CONFIGURE = command({
  id: 'configure',
  tag: 'deployments',
  summary: 'Change instance counts, settings or certificates.',
  problems: [...OF_SLOT, ...PACKAGE, ...WALKING, 'deployment_not_found', 'rollback_not_allowed'],
  example: { configuration: { roles: { web: { instances: 4, settings: { GREETING: 'hello' } } } } },
})

export const SET_STATUS = command({
  id: 'setStatus',
  tag: 'deployments',
  summary: 'Suspend a deployment, or start it again.',
  problems: [...OF_SLOT, ...PLACING, 'nothing_to_do', 'operation_in_progress', 'upgrade_in_progress'],
  example: { status: 'Suspended' },
})

export const PLAN = reading({
  id: 'plan',
  tag: 'deployments',
  summary: 'What a swap or an upgrade would do; nothing is changed.',
  description: 'What would refuse it is in the answer: `outcome` is `refused`, and `blockers` say why.',
  schema: PlanView,
  problems: ['invalid_configuration', 'invalid_policy'],
  example: { upgrade: { package: DIGEST } },
})
