import type { FabricState } from '../../src/fabric/state.ts'

/** All that is journaled is the very same. */
export function sameJournal(a: FabricState, b: FabricState): boolean {
  return Object.entries(a).every(
    ([name, table]) => name === 'observed' || table === new Map(Object.entries(b)).get(name),
  )
}

/** What a commit writes. */
export function serialise({ observed: _observed, ...journaled }: FabricState): string {
  return JSON.stringify(journaled)
}
