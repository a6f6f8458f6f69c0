import type { InstanceView } from '../../../contracts/api/instance.ts'
import type { DeploymentStatus, HealthState, InstanceStatus, OperationStatus } from '../../../model/states.ts'
import type { IconName } from './icon.tsx'

/** How a state looks: in words, by its shape, and by one of few colours. */
export interface Look {
  readonly text: string
  readonly icon: IconName
  readonly tone: 'good' | 'moving' | 'warn' | 'bad' | 'quiet'
}

const INSTANCE = {
  ReadyRole: { text: 'Ready', icon: 'ready', tone: 'good' },
  StartingRole: { text: 'Starting', icon: 'starting', tone: 'moving' },
  BusyRole: { text: 'Busy', icon: 'busy', tone: 'warn' },
  StoppingRole: { text: 'Stopping', icon: 'stopping', tone: 'moving' },
  StoppedVM: { text: 'Stopped', icon: 'stopped', tone: 'quiet' },
  CyclingRole: { text: 'Crash loop', icon: 'cycling', tone: 'bad' },
  FailedStartingRole: { text: 'Failed to start', icon: 'cross', tone: 'bad' },
  UnresponsiveRole: { text: 'Unresponsive', icon: 'warning', tone: 'bad' },
  RoleStateUnknown: { text: 'Unknown', icon: 'unknown', tone: 'warn' },
} as const satisfies Record<InstanceStatus, Look>

const DEPLOYMENT = {
  Running: { text: 'Running', icon: 'ready', tone: 'good' },
  Suspended: { text: 'Suspended', icon: 'paused', tone: 'quiet' },
  RunningTransitioning: { text: 'Changing', icon: 'starting', tone: 'moving' },
  SuspendedTransitioning: { text: 'Changing', icon: 'starting', tone: 'moving' },
  Starting: { text: 'Starting', icon: 'starting', tone: 'moving' },
  Suspending: { text: 'Suspending', icon: 'stopping', tone: 'moving' },
  Deploying: { text: 'Deploying', icon: 'starting', tone: 'moving' },
  Deleting: { text: 'Deleting', icon: 'stopping', tone: 'moving' },
} as const satisfies Record<DeploymentStatus, Look>

const OPERATION = {
  InProgress: { text: 'In progress', icon: 'starting', tone: 'moving' },
  Succeeded: { text: 'Succeeded', icon: 'check', tone: 'good' },
  Failed: { text: 'Failed', icon: 'cross', tone: 'bad' },
  RolledBack: { text: 'Rolled back', icon: 'back', tone: 'warn' },
  Cancelled: { text: 'Cancelled', icon: 'dash', tone: 'quiet' },
} as const satisfies Record<OperationStatus, Look>

const HEALTH = {
  Ok: { text: 'Healthy', icon: 'check', tone: 'good' },
  Warning: { text: 'Warning', icon: 'warning', tone: 'warn' },
  Error: { text: 'Unhealthy', icon: 'cross', tone: 'bad' },
} as const satisfies Record<HealthState, Look>

export function lookOfInstance({ status, drained }: Pick<InstanceView, 'status' | 'drained'>): Look {
  if (drained && status === 'ReadyRole') return { text: 'Drained', icon: 'paused', tone: 'quiet' }
  return INSTANCE[status]
}

export function lookOfDeployment(status: DeploymentStatus): Look {
  return DEPLOYMENT[status]
}

export function lookOfOperation(status: OperationStatus): Look {
  return OPERATION[status]
}

export function lookOfHealth(state: HealthState): Look {
  return HEALTH[state]
}
