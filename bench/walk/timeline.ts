import { readFileSync } from 'node:fs'
import type { ReceiptView } from '../../src/contracts/api/receipt.ts'

/** A line that a role process wrote about itself. Times are its own wall clock, milliseconds. */
interface Mark {
  readonly what: 'began' | 'listens' | 'told' | 'ended'
  readonly at: number
  readonly instance: string
  readonly pid: number
  readonly domain: number
  /** When it last answered a caller; 0: never. */
  readonly lastAnswerAt: number
}

/** One role process, as it tells itself; null: it has not come to that. */
export interface RoleProcess {
  readonly instance: string
  readonly domain: number
  readonly beganAt: number
  readonly listenedAt: number | null
  readonly toldAt: number | null
  readonly endedAt: number | null
  readonly lastAnswerAt: number
}

export function readTimeline(file: string): RoleProcess[] {
  const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean)
  return processesOf(lines.map(line => JSON.parse(line) as Mark)) // written by role/server.mjs only
}

export function processesOf(marks: readonly Mark[]): RoleProcess[] {
  const byProcess = new Map<string, Mark[]>()
  for (const mark of marks) {
    const key = `${mark.instance} ${mark.pid}`
    byProcess.set(key, [...(byProcess.get(key) ?? []), mark])
  }
  return [...byProcess.values()].flatMap(own => {
    const at = (what: Mark['what']): number | null => own.find(mark => mark.what === what)?.at ?? null
    const [first] = own
    const beganAt = at('began')
    if (first === undefined || beganAt === null) return []
    return {
      instance: first.instance,
      domain: first.domain,
      beganAt,
      listenedAt: at('listens'),
      toldAt: at('told'),
      endedAt: at('ended'),
      lastAnswerAt: Math.max(...own.map(mark => mark.lastAnswerAt)),
    }
  })
}

/** What one domain of a walk cost, milliseconds: what its slowest instance needed, and what it took. */
export interface DomainCost {
  readonly domain: number
  /** Of the instance whose three together are the most. */
  readonly drainMs: number
  readonly stopMs: number
  readonly startMs: number
  readonly stableMs: number
  readonly neededMs: number
  readonly tookMs: number
  /** Where it went, from the domain's first step on: the last told to stop, the last ended, the first and last begun, the last that listens. */
  readonly steps: Readonly<Record<'told' | 'ended' | 'firstBegan' | 'began' | 'listened', number>>
}

/**
 * Compares what each domain took, by the receipt, with what its slowest instance itself needed: drain (from the domain's
 * start to the last answer the old process gave), stop (told to ended), start (began to listens) and the stable time that
 * the policy asks for. Throws where a process of the walk did not tell all of that.
 */
export function costs(
  processes: readonly RoleProcess[],
  domains: ReceiptView['domains'],
  stableMs: number,
): DomainCost[] {
  return domains.map(({ domain, startedAt, endedAt, instances }) => {
    const from = Date.parse(startedAt)
    const to = Date.parse(endedAt ?? '')
    const moved = movedIn(processes, domain, from, to)
    if (moved.length !== instances) {
      throw new Error(`domain ${domain} moved ${instances} instances, ${moved.length} of them tell of it`)
    }
    const needs = moved.map(({ old, fresh }) => ({
      drainMs: Math.max(0, old.lastAnswerAt - from),
      stopMs: old.endedAt - old.toldAt,
      startMs: fresh.listenedAt - fresh.beganAt,
    }))
    const total = (need: (typeof needs)[number]): number => need.drainMs + need.stopMs + need.startMs
    const [slowest] = needs.toSorted((a, b) => total(b) - total(a))
    if (slowest === undefined) throw new Error(`domain ${domain} moved nothing`)
    const since = (times: readonly number[]): number => Math.max(...times) - from
    return {
      domain,
      ...slowest,
      stableMs,
      neededMs: total(slowest) + stableMs,
      tookMs: to - from,
      steps: {
        told: since(moved.map(({ old }) => old.toldAt)),
        ended: since(moved.map(({ old }) => old.endedAt)),
        firstBegan: Math.min(...moved.map(({ fresh }) => fresh.beganAt)) - from,
        began: since(moved.map(({ fresh }) => fresh.beganAt)),
        listened: since(moved.map(({ fresh }) => fresh.listenedAt)),
      },
    }
  })
}

interface Move {
  readonly old: RoleProcess & { readonly toldAt: number; readonly endedAt: number }
  readonly fresh: RoleProcess & { readonly listenedAt: number }
}

/** The processes of a domain that were told to stop in this stretch of time, each with the one that took its place. */
function movedIn(processes: readonly RoleProcess[], domain: number, from: number, to: number): Move[] {
  const own = processes.filter(process => process.domain === domain)
  return own.flatMap(old => {
    const { toldAt, endedAt } = old
    if (toldAt === null || endedAt === null || toldAt < from || toldAt > to) return []
    const fresh = own
      .filter(({ instance, beganAt }) => instance === old.instance && beganAt > toldAt)
      .toSorted((a, b) => a.beganAt - b.beganAt)[0]
    const listenedAt = fresh?.listenedAt ?? null
    if (fresh === undefined || listenedAt === null) return []
    return [{ old: { ...old, toldAt, endedAt }, fresh: { ...fresh, listenedAt } }]
  })
}

/** Share by which the whole operation (accepted to ended) took longer than its domains needed: 0.1 is 10 %. */
export function overheadOf(domains: readonly DomainCost[], operationMs: number): number {
  const needed = domains.reduce((sum, { neededMs }) => sum + neededMs, 0)
  return operationMs / needed - 1
}
