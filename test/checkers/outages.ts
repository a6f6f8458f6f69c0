import type { InstanceLine } from '../system/faults/history/line.ts'
import type { History } from './recording.ts'

/** A time in which an instance that had been chosen from was not. */
export interface Outage {
  readonly deployment: string
  readonly instance: string
  readonly domain: number
  /** When it was first and last seen so; `to` is Infinity where it never came back. */
  readonly from: number
  to: number
  /** The process group that was taken out; null: it was not seen. */
  readonly group: number | null
  /** When its process was first seen to have left the table before it was stopped; Infinity: it was not seen. */
  outAt: number
  /** It left the table by itself: it died, or its probe failed. */
  unplanned: boolean
}

/** Every outage that was seen, in the order of their beginnings. */
export function outagesOf(history: History): Outage[] {
  const outages: Outage[] = []
  const open = new Map<string, Outage>()
  const wasIn = new Set<string>()
  // Who left by itself since it was last seen in: the event may be heard before or after the look that shows it.
  const failed = new Set<string>()
  for (const line of history.lines('instance', 'event')) {
    if (line.type === 'event') {
      if (line.kind !== 'instance-not-ready') continue
      const name = `${line.deployment}/${line.instance}`
      failed.add(name)
      const outage = open.get(name)
      if (outage !== undefined) outage.unplanned = true
      continue
    }
    follow(line, { outages, open, wasIn, failed })
  }
  return outages
}

interface Seen {
  readonly outages: Outage[]
  readonly open: Map<string, Outage>
  readonly wasIn: Set<string>
  readonly failed: Set<string>
}

function follow(line: InstanceLine, { outages, open, wasIn, failed }: Seen): void {
  const name = `${line.deployment}/${line.id}`
  const current = open.get(name)
  if (line.gone || line.routing === 'in') {
    if (current !== undefined) current.to = line.at
    open.delete(name)
    failed.delete(name)
    if (line.gone) wasIn.delete(name)
    else wasIn.add(name)
    return
  }
  if (current !== undefined) {
    if (hasLeft(line, current.group)) current.outAt = Math.min(current.outAt, line.at)
    return
  }
  // What was never chosen from is no outage: it starts.
  if (!wasIn.has(name)) return
  const outage: Outage = {
    deployment: line.deployment,
    instance: line.id,
    domain: line.upgradeDomain,
    from: line.at,
    to: Infinity,
    group: line.pid,
    outAt: hasLeft(line, line.pid) ? line.at : Infinity,
    unplanned: failed.has(name),
  }
  open.set(name, outage)
  outages.push(outage)
}

/** Out of the table, and still this process: what starts is the next one. */
function hasLeft({ routing, status, pid }: InstanceLine, group: number | null): boolean {
  return routing === 'out' && status === 'StoppingRole' && pid === group
}
