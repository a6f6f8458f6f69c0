import type { Store, Change } from '../store/store.ts'
import { VipswapError } from '../core/errors.ts'
import { emptyState, type FabricEvent, type FabricSettings, type FabricState } from '../fabric/state.ts'

/** Tables of the state and the first part of their keys in the store. */
const TABLES = {
  services: 'service',
  deployments: 'deployment',
  roles: 'role',
  operations: 'operation',
  releases: 'release',
  certificates: 'certificate',
  nodes: 'node',
  proxies: 'proxy',
  requests: 'request',
  health: 'health',
  marks: 'mark',
  aftermaths: 'aftermath',
  tasks: 'task',
} as const satisfies Partial<Record<keyof FabricState, string>>

type TableName = keyof typeof TABLES
const TABLE_NAMES = Object.keys(TABLES) as TableName[] // keys of the literal above

/** Events older than the newest so many are forgotten. */
export const KEEP_EVENTS = 5000

/** The committed state and the newest events; a new store gives an empty fabric. */
export async function readJournal(
  store: Store,
  settings: FabricSettings,
): Promise<{ state: FabricState; events: FabricEvent[] }> {
  const state = emptyState(store.fabricId, settings)
  const fabric = (await store.get('fabric')) as FabricState['fabric'] | undefined // written by writeChanges only
  if (fabric === undefined) {
    if (store.sequence > 0) throw new VipswapError('store_damaged', 'the journal has commits but no fabric record')
    return { state, events: [] }
  }
  const tables: Record<string, Record<string, unknown>> = {}
  for (const name of TABLE_NAMES) {
    const prefix = `${TABLES[name]}/`
    const table: Record<string, unknown> = {}
    for await (const [key, value] of store.range(prefix)) table[key.slice(prefix.length)] = value
    tables[name] = table
  }
  const events: FabricEvent[] = []
  for await (const [, value] of store.range('event/')) events.push(value as FabricEvent) // written by writeChanges only
  return { state: { ...state, ...tables, fabric }, events }
}

/** What must be written to go from one committed state to the next: records that differ, by reference. */
export function changesBetween(before: FabricState, after: FabricState, events: readonly FabricEvent[]): Change[] {
  const changes: Change[] = []
  if (before.fabric !== after.fabric) changes.push({ key: 'fabric', value: after.fabric })
  for (const name of TABLE_NAMES) {
    const [old, now]: Record<string, unknown>[] = [before[name], after[name]]
    if (old === now || old === undefined || now === undefined) continue
    for (const key of Object.keys(now))
      if (old[key] !== now[key]) changes.push({ key: `${TABLES[name]}/${key}`, value: now[key] })
    for (const key of Object.keys(old))
      if (!Object.hasOwn(now, key)) changes.push({ key: `${TABLES[name]}/${key}`, value: undefined })
  }
  for (const event of events) {
    changes.push({ key: eventKey(event.seq), value: event })
    if (event.seq > KEEP_EVENTS) changes.push({ key: eventKey(event.seq - KEEP_EVENTS), value: undefined })
  }
  return changes
}

function eventKey(seq: number): string {
  return `event/${String(seq).padStart(12, '0')}`
}
