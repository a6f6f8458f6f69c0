import type { InstanceObservation } from '../contracts/assignment.ts'
import type { RoleDefinition } from '../model/definition.ts'
import type { Draft } from './draft.ts'
import type { ProcessRecord } from './state.ts'

const NONE: readonly string[] = []

/** Local storages that were seen above their size. Sizes are measured and reported, never enforced. */
export function overfullOf(seen: InstanceObservation | undefined, { localStorage }: RoleDefinition): readonly string[] {
  if (localStorage.length === 0) return NONE
  const bytes = seen?.storage ?? {}
  return localStorage.filter(({ name, sizeBytes }) => (bytes[name] ?? 0) > sizeBytes).map(({ name }) => name)
}

/** Has one come above its size, or back, since it was last told? */
export function hasChangedStorage({ overfull = NONE }: Readonly<ProcessRecord>, now: readonly string[]): boolean {
  return overfull !== now && overfull.join() !== now.join()
}

/** Tells of storages that have come above their size, once, and of those that are back. */
export function noteStorage(
  draft: Draft,
  deployment: string,
  process: ProcessRecord,
  seen: InstanceObservation,
  definition: RoleDefinition,
): void {
  const now = [...overfullOf(seen, definition)]
  if (!hasChangedStorage(process, now)) return
  const before = process.overfull ?? []
  for (const { name, sizeBytes } of definition.localStorage) {
    const [was, is] = [before.includes(name), now.includes(name)]
    if (was === is) continue
    const bytes = seen.storage?.[name] ?? 0
    draft.event(
      is ? 'storage-exceeded' : 'storage-within',
      `${process.id}: local storage ${name} holds ${bytes} bytes, its size is ${sizeBytes}`,
      { deployment, instance: process.id },
    )
  }
  process.overfull = now.length === 0 ? undefined : now
}
