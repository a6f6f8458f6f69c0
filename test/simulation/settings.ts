import type { NodeFacts } from '../../src/contracts/link.ts'
import { DEFAULT_LIMITS } from '../../src/contracts/routing.ts'
import type { FabricSettings } from '../../src/fabric/state.ts'
import { DEFAULT_FABRIC_CONFIG } from '../../src/model/load-fabric-config.ts'
import { SIM_HOOKS } from './sim-tasks.ts'

/** A fabric's own configuration: a quota that can be met, and a node time-out that partitions outlast. */
export const SETTINGS: FabricSettings = {
  vips: null,
  services: {},
  limits: DEFAULT_LIMITS,
  endpointDefaults: DEFAULT_FABRIC_CONFIG.endpointDefaults,
  portRange: { from: 20_000, to: 29_999 },
  sizes: { big: { cores: 2, memoryBytes: 1 } },
  quota: { cores: 40 },
  nodeTimeoutMs: 8000,
  hooks: SIM_HOOKS,
}

export function nodeFacts(upgradeDomain: number | null): NodeFacts {
  return { cores: 4, memoryBytes: 1, host: '127.0.0.1', faultDomain: null, upgradeDomain }
}
