/** Azure's role-instance states, those that a process host can be in. */
export type InstanceStatus =
  | 'RoleStateUnknown'
  | 'StartingRole'
  | 'ReadyRole'
  | 'BusyRole'
  | 'StoppingRole'
  | 'StoppedVM'
  | 'CyclingRole'
  | 'FailedStartingRole'
  | 'UnresponsiveRole'

/** Azure's deployment states. */
export type DeploymentStatus =
  | 'Running'
  | 'Suspended'
  | 'RunningTransitioning'
  | 'SuspendedTransitioning'
  | 'Starting'
  | 'Suspending'
  | 'Deploying'
  | 'Deleting'

export type OperationStatus = 'InProgress' | 'Succeeded' | 'Failed' | 'RolledBack' | 'Cancelled'

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
export type Membership = 'in' | 'draining' | 'out'

/** Service Fabric's health states, from good to bad. */
export const HEALTH_STATES = ['Ok', 'Warning', 'Error'] as const
export type HealthState = (typeof HEALTH_STATES)[number]

/** Why a monitored upgrade did not go through (Service Fabric's `FailureReason`). */
export type FailureReason =
  | 'Interrupted'
  | 'HealthCheck'
  | 'UpgradeDomainTimeout'
  | 'OverallUpgradeTimeout'
  /** Ours: a hook failed, or said no. */
  | 'Hook'
  /** Ours: the traffic of `--verify` lost a request. */
  | 'Verify'
