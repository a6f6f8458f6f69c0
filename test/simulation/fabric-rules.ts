import { apply } from '../../src/fabric/apply.ts'
import { projectWakeIn } from '../../src/fabric/wake.ts'
import { projectAssignments } from '../../src/fabric/project-assignments.ts'
import { projectRouting } from '../../src/fabric/project-routing.ts'
import type { FabricState } from '../../src/fabric/state.ts'

/** The rules under simulation: those of src/fabric, or a copy of them with one broken on purpose (mutants.ts). */
export interface FabricRules {
  readonly apply: typeof apply
  readonly projectRouting: typeof projectRouting
  readonly projectAssignments: typeof projectAssignments
  readonly projectWakeIn: typeof projectWakeIn
  /** What of a state is written at a commit, as text. */
  readonly serialise: (state: FabricState) => string
}

export const REAL_RULES: FabricRules = { apply, projectRouting, projectAssignments, projectWakeIn, serialise }

/** All tables but what was observed. */
export function serialise({ observed: _observed, ...journaled }: FabricState): string {
  return JSON.stringify(journaled)
}

/** All that is journaled is the very same. */
export function sameJournal(a: FabricState, b: FabricState): boolean {
  return (
    a.fabric === b.fabric &&
    a.services === b.services &&
    a.deployments === b.deployments &&
    a.roles === b.roles &&
    a.operations === b.operations &&
    a.releases === b.releases &&
    a.certificates === b.certificates &&
    a.nodes === b.nodes &&
    a.proxies === b.proxies &&
    a.requests === b.requests &&
    a.health === b.health
  )
}
