import { processesOf, type FabricState, type ProcessRecord, type RoleRecord } from '../../src/fabric/state.ts'
import { instanceKey } from '../../src/fabric/keys.ts'

/** A process of a state with where it belongs. */
export interface Placed {
  readonly key: string
  readonly role: RoleRecord
  readonly instance: ProcessRecord
  /** It is what another stands beside. */
  readonly beside: boolean
}

export function placed(state: FabricState, deployment?: string): Placed[] {
  return Object.values(state.roles)
    .filter(role => deployment === undefined || role.deployment === deployment)
    .flatMap(role =>
      role.instances.flatMap(instance =>
        processesOf(instance).map(process => ({
          key: instanceKey(role.deployment, process),
          role,
          instance: process,
          beside: process !== instance,
        })),
      ),
    )
}
