import type { OperationLine } from '../system/faults/history/line.ts'
import type { History } from './recording.ts'

export interface SlotMap {
  readonly production: string | null
  readonly staging: string | null
}

/** From `from` to `to` at the latest, both slots came to hold this. */
export interface SlotChange {
  readonly what: string
  readonly map: SlotMap
  readonly from: number
  readonly to: number
}

/** How far the controller's wall clock may be from the recorder's. */
const WALL_SLACK_MS = 2000

/**
 * Every change of the slots of one service, in order: what changed is in the timeline; when, is bounded by the call of
 * who asked for it, or loosely by the event where no client is known. A deployment counts as there from the call for it,
 * and as gone when its deletion has ended.
 */
export function slotTimeline(history: History, service: string): SlotChange[] {
  const calls = new Map<string, OperationLine>()
  for (const line of history.lines('operation')) if (line.id !== null) calls.set(line.id, line)
  const changes: SlotChange[] = []
  let map: SlotMap = { production: null, staging: null }
  const change = (what: string, next: SlotMap, operation: string | undefined, at: number): void => {
    if (next.production === map.production && next.staging === map.staging) return
    const call = calls.get(operation ?? '')
    map = next
    const isOver = call !== undefined && call.outcome !== 'unknown'
    const [from, to] = [call?.start ?? at - WALL_SLACK_MS, isOver ? call.end : at + WALL_SLACK_MS]
    changes.push({ what: `${what} ${operation ?? ''}`.trim(), map, from, to })
  }
  const events = [...history.lines('event')].sort((a, b) => a.seq - b.seq)
  for (const { kind, message, operation, at, service: of } of events) {
    if (of !== service) continue
    const created = /^deploy .* to (production|staging) as (\S+)$/.exec(message)
    const deleted = /^delete (\S+) in (?:production|staging)$/.exec(message)
    const swapped = /production is (\S+), staging is (\S+)$/.exec(message)
    if (kind === 'operation-started' && created !== null) {
      change('create', { ...map, [created[1] ?? '']: created[2] ?? null }, operation, at)
    } else if (kind === 'operation-started' && deleted !== null) {
      const gone = deleted[1] ?? ''
      const without = (id: string | null): string | null => (id === gone ? null : id)
      change('delete', { production: without(map.production), staging: without(map.staging) }, operation, at)
    } else if (kind === 'swapped' && swapped !== null) {
      const held = (id: string | undefined): string | null => (id === undefined || id === 'empty' ? null : id)
      change('swap', { production: held(swapped[1]), staging: held(swapped[2]) }, operation, at)
    }
  }
  return ordered(changes)
}

/** Changes follow one another, so none can have happened before one that went before, nor after one that came later. */
function ordered(changes: readonly SlotChange[]): SlotChange[] {
  const result = changes.map(change => ({ ...change }))
  for (let i = 1; i < result.length; i += 1) {
    const [before, here] = [result[i - 1], result[i]]
    if (before !== undefined && here !== undefined) here.from = Math.max(here.from, before.from)
  }
  for (let i = result.length - 2; i >= 0; i -= 1) {
    const [here, after] = [result[i], result[i + 1]]
    if (after !== undefined && here !== undefined) here.to = Math.min(here.to, after.to)
  }
  return result
}
