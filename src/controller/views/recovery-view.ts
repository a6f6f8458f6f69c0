import type { RecoveryView } from '../../contracts/api/recovery.ts'
import { consequencesOf } from '../../fabric/recovery.ts'
import type { FabricState } from '../../fabric/state.ts'

/** How the journal was put back and what is lost, while that is not settled; else null. */
export function viewRecovery(state: FabricState): RecoveryView | null {
  const recovery = state.fabric.recovery ?? null
  if (recovery === null || recovery.lost === null) return null
  const { state: stage, at, found, aside, snapshot, sequence, lost } = recovery
  return {
    state: stage,
    at: new Date(at).toISOString(),
    found,
    aside,
    snapshotTakenAt: new Date(snapshot.takenAt).toISOString(),
    commit: sequence,
    lost,
    ...consequencesOf(state),
  }
}
