import { compareRevisions } from '../contracts/revision.ts'
import type { Draft } from './draft.ts'
import type { Input } from './input.ts'
import { baselineOf } from './receipts.ts'
import type { FabricState, MarkRecord } from './state.ts'

/** Marks of one service beyond these are forgotten, the oldest first: those asked for, and those that a reading left. */
const KEEP = { asked: 50, read: 20 } as const

/** Notes the counts of a service as they are, under a name to count from later. The same name again changes nothing. */
export function setMark(draft: Draft, { id, service, label, read }: Extract<Input, { kind: 'traffic-marked' }>): void {
  if (draft.services.get(service) === undefined || draft.marks.get(id) !== undefined) return
  draft.marks.put(id, {
    id,
    service,
    label,
    read,
    at: draft.now,
    revision: draft.revision,
    counts: baselineOf(draft, service),
  })
  if (!read) draft.event('traffic-marked', label === null ? `mark ${id}` : `mark ${id}: ${label}`, { service })
  const rivals = [...draft.marks.values()].filter(mark => mark.service === service && mark.read === read)
  rivals.sort(inOrder)
  for (const { id: old } of rivals.slice(0, -KEEP[read ? 'read' : 'asked'])) draft.marks.delete(old)
  for (const mark of draft.marks.values())
    if (draft.services.get(mark.service) === undefined) draft.marks.delete(mark.id)
}

/** The marks that were asked for, oldest first. */
export function marksOf(state: FabricState, service: string): FabricState['marks'][string][] {
  return Object.values(state.marks)
    .filter(mark => mark.service === service && !mark.read)
    .toSorted(inOrder)
}

/** As they were made: the clock on the wall may be set back. */
function inOrder(a: MarkRecord, b: MarkRecord): number {
  return compareRevisions(a.revision, b.revision) || a.at.wall - b.at.wall
}
