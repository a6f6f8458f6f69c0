import { compare } from 'semver'
import type { RequestLine } from '../system/faults/history/line.ts'
import type { NotedLine } from './lines.ts'
import { outagesOf, type Outage } from './outages.ts'
import type { History } from './recording.ts'
import type { Verdict, Violation } from './verdict.ts'

/** How far clocks of two processes may be apart, in milliseconds. */
const CLOCK_SLACK_MS = 5
/** Instances are looked at every 100 ms, over HTTP, of a controller that may be busy. */
const LOOK_MS = 1500
/** How far the controller's wall clock may be from the recorder's. */
const WALL_SLACK_MS = 1000
/** Calls beside which, by what they are, more than one domain may be out. */
const MAY_OVERLAP = /suspend|start|delete|replace|simultaneous|unmonitored|overlap|scale|drain|reboot|reimage/
/** Words of calls that a version may go back in. */
const GOES_BACK = /rollback/

/** At no instant are instances of two upgrade domains of a deployment out of rotation because of planned work. */
export function checkDomains(history: History): Verdict {
  const free = freeTimes(history)
  const violations: Violation[] = []
  const planned = outagesOf(history).filter(outage => !outage.unplanned)
  let latest: Outage[] = []
  for (const outage of planned) {
    latest = latest.filter(({ to }) => to > outage.from)
    const other = latest.find(({ deployment, domain }) => deployment === outage.deployment && domain !== outage.domain)
    latest.push(outage)
    if (other === undefined) continue
    if (free.some(({ start, end }) => start <= outage.from && end + LOOK_MS >= other.from)) continue
    const text = `${other.instance} (domain ${other.domain}) and ${outage.instance} (domain ${outage.domain}) of ${outage.deployment} were out together`
    violations.push({ at: outage.from, text })
  }
  return { name: 'one domain at a time', judged: planned.length, of: 'planned outages', violations }
}

/** When work ran beside which several domains may be out: by its call, and by the timeline, whoever asked for it. */
function freeTimes(history: History): { start: number; end: number }[] {
  const called = [...history.lines('operation')].filter(({ call }) => MAY_OVERLAP.test(call))
  const told = new Map<string, { start: number; end: number }>()
  for (const { kind, operation = '', message, at } of history.lines('event')) {
    const time = told.get(operation)
    // What follows a colon is a reason.
    if (kind === 'operation-started' && MAY_OVERLAP.test(message.replace(/:.*/, '')))
      told.set(operation, { start: at - WALL_SLACK_MS, end: Infinity })
    else if (kind === 'operation-ended' && time !== undefined) time.end = at + WALL_SLACK_MS
  }
  return [...called, ...told.values()]
}

/**
 * No request that is begun after an instance was seen out of the table, or was told to stop, is answered by that process; and
 * SIGTERM comes only when it answers nothing any more, or when its drain time is over.
 */
export function checkDrains(history: History, drainTimeoutMs: number): Verdict {
  const outages = new Map<string, Outage[]>()
  for (const outage of outagesOf(history)) push(outages, `${outage.deployment}/${outage.instance}`, outage)
  const notes = new Map<string, NotedLine[]>()
  for (const note of history.lines('noted')) push(notes, `${note.deployment}/${note.instance}`, note)
  const violations: Violation[] = []
  let judged = 0
  for (const [name, list] of notes) {
    list.sort((a, b) => a.at - b.at)
    for (const { what, at, open, group } of list) {
      if (what !== 'told') continue
      judged += 1
      const drain = outages.get(name)?.find(outage => outage.group === group)
      const drainedMs = drain === undefined ? 0 : Math.max(0, at - drain.from)
      if (open > 0 && drainedMs + LOOK_MS < drainTimeoutMs)
        violations.push({
          at,
          text: `${name} got SIGTERM while it answered ${open}, after ${ms(drainedMs)} of draining`,
        })
    }
  }
  for (const request of history.lines('request')) {
    const name = `${request.deployment}/${request.instance}`
    const its = notes.get(name)
    if (request.head === null || its === undefined) continue
    judged += 1
    const text = lateRequest(request, its, outages.get(name) ?? [])
    if (text !== undefined) violations.push({ at: request.start, text: `${name} ${text} (request ${request.nonce})` })
  }
  return { name: 'drained before it is stopped', judged, of: 'answers and stops', violations }
}

function lateRequest(
  { start, head, end }: RequestLine,
  notes: readonly NotedLine[],
  outages: readonly Outage[],
): string | undefined {
  // The process that can have answered: the last that listened before the head came.
  const answered = head ?? end
  const listened = notes.findLast(({ what, at }) => what === 'listens' && at <= answered + CLOCK_SLACK_MS)
  if (listened === undefined) return undefined
  const out = outages.find(({ outAt, group }) => group === listened.group && start > outAt)
  const told = notes.find(({ what, pid }) => what === 'told' && pid === listened.pid)
  if (out !== undefined) return `answered a request that began ${ms(start - out.outAt)} after it was out of the table`
  if (told !== undefined && start > told.at + CLOCK_SLACK_MS)
    return `answered a request that began ${ms(start - told.at)} after its SIGTERM`
  return undefined
}

/** Versions of an instance go back only in a rollback. */
export function checkVersions(history: History): Verdict {
  const back = [...history.lines('operation')].filter(
    ({ call, outcome }) => GOES_BACK.test(call) || outcome === 'RolledBack' || outcome === 'Failed',
  )
  const rolledBack = [...history.lines('event')].filter(({ kind }) => kind === 'upgrade-failed')
  const had = new Map<string, string>()
  const violations: Violation[] = []
  let judged = 0
  for (const { deployment, id, version, at } of history.lines('instance')) {
    const name = `${deployment}/${id}`
    const before = had.get(name)
    had.set(name, version)
    if (before === undefined || before === version) continue
    judged += 1
    if (compare(version, before) > 0) continue
    // A rollback that a rule began may outlast the call that it undoes.
    const isBack =
      back.some(({ start, end }) => start <= at && at <= end + LOOK_MS) ||
      rolledBack.some(event => event.deployment === deployment && event.at <= at + LOOK_MS)
    if (!isBack) violations.push({ at, text: `${name} went from ${before} back to ${version} outside of a rollback` })
  }
  return { name: 'versions go back only in a rollback', judged, of: 'changes of version', violations }
}

function push<T>(map: Map<string, T[]>, key: string, value: T): void {
  const list = map.get(key)
  if (list === undefined) map.set(key, [value])
  else list.push(value)
}

function ms(value: number): string {
  return `${value.toFixed(1)} ms`
}
