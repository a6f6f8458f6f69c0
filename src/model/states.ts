/** Azure's role-instance states, those that a process host can be in. */
export const INSTANCE_STATUSES = [
  'RoleStateUnknown',
  'StartingRole',
  'ReadyRole',
  'BusyRole',
  'StoppingRole',
  'StoppedVM',
  'CyclingRole',
  'FailedStartingRole',
  'UnresponsiveRole',
] as const
export type InstanceStatus = (typeof INSTANCE_STATUSES)[number]

/** Azure's deployment states. */
export const DEPLOYMENT_STATUSES = [
  'Running',
  'Suspended',
  'RunningTransitioning',
  'SuspendedTransitioning',
  'Starting',
  'Suspending',
  'Deploying',
  'Deleting',
] as const
export type DeploymentStatus = (typeof DEPLOYMENT_STATUSES)[number]

export const OPERATION_STATUSES = ['InProgress', 'Succeeded', 'Failed', 'RolledBack', 'Cancelled'] as const
export type OperationStatus = (typeof OPERATION_STATUSES)[number]

export const UPGRADE_MODES = [
  'monitored',
  'auto',
  'manual',
  'unmonitored-auto',
  'unmonitored-manual',
  'simultaneous',
] as const
export type UpgradeMode = (typeof UPGRADE_MODES)[number]

/** What the proxy does with an instance: chosen from, finishing what it has, or not there. */
export const MEMBERSHIPS = ['in', 'draining', 'out'] as const
export type Membership = (typeof MEMBERSHIPS)[number]

/** Service Fabric's health states, from good to bad. */
export const HEALTH_STATES = ['Ok', 'Warning', 'Error'] as const
export type HealthState = (typeof HEALTH_STATES)[number]

/** Why a monitored upgrade did not go through (Service Fabric's `FailureReason`). */
export const FAILURE_REASONS = [
  'Interrupted',
  'HealthCheck',
  'UpgradeDomainTimeout',
  'OverallUpgradeTimeout',
  // Ours: a hook failed, or said no.
  'Hook',
  // Ours: the traffic of `--verify` lost a request.
  'Verify',
] as const
export type FailureReason = (typeof FAILURE_REASONS)[number]
