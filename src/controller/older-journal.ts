import type { DeploymentRecord, FabricState, UpgradeRecord } from '../fabric/state.ts'
import { DEFAULT_UPGRADE_POLICY } from '../model/upgrade-policy.ts'

/** Fields that records have got since they could first be journaled: what is not there has the value it meant then. */
export function withDefaults(state: FabricState): FabricState {
  const deployments = Object.entries(state.deployments).map(([id, deployment]) => [id, deploymentNow(deployment)])
  return {
    ...state,
    fabric: { ...state.fabric, moment: given(state.fabric.moment, null) },
    deployments: Object.fromEntries(deployments),
  }
}

function deploymentNow(record: DeploymentRecord): DeploymentRecord {
  return {
    ...record,
    policy: { ...DEFAULT_UPGRADE_POLICY, ...record.policy },
    upgrade: record.upgrade === null ? null : upgradeNow(record.upgrade),
  }
}

function upgradeNow(record: UpgradeRecord): UpgradeRecord {
  const { upgrade, domain, health, beat } = record.clocks
  return {
    ...record,
    clocks: { upgrade, domain, health: given(health, null), beat: given(beat, null) },
    verified: given(record.verified, []),
    failure: given(record.failure, null),
    stuck: given(record.stuck, []),
    baseline: given(record.baseline, []),
  }
}

/** The types say it is there; an older journal may not have it. */
function given<T>(value: T | undefined, fallback: T): T {
  return value === undefined ? fallback : value
}
