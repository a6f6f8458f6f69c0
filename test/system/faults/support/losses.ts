import type { TrafficView } from '../../../../src/contracts/traffic.ts'
import type { ExecutedLine, RequestLine } from '../history/line.ts'

/** What callers lost, counted by themselves, by the proxies' ledger and by the instances. */
export interface Losses {
  readonly requests: number
  readonly answered: number
  /** Connections that nobody took. */
  readonly refused: number
  /** GETs without a whole 200. */
  readonly lostIdempotent: number
  /** POSTs without one. */
  readonly lostOther: number
  /** How many of them ended how: `reset`, `short`, `timeout`, `corrupt`, or the status. */
  readonly how: Readonly<Record<string, number>>
  readonly slowestMs: number
  /** POSTs that were carried out more than once, and those answered 200 that no instance carried out. */
  readonly executedTwice: number
  readonly answeredNotExecuted: number
  /** Null: a proxy process ended in between, so that the ledger lacks what it had counted. */
  readonly ledger: { readonly arrived: number; readonly answered: number; readonly broken: number } | null
}

/** Puts the three counts together. `executed`: null where those who answer do not note it. */
export function countLosses(
  requests: readonly RequestLine[],
  executed: readonly ExecutedLine[] | null,
  traffic: TrafficView | null,
): Losses {
  const how: Record<string, number> = {}
  let lostIdempotent = 0
  let lostOther = 0
  let refused = 0
  let slowestMs = 0
  for (const { method, outcome, status, start, end } of requests) {
    slowestMs = Math.max(slowestMs, Math.round(end - start))
    if (outcome === 'ok') continue
    if (outcome === 'refused') {
      refused += 1
      continue
    }
    const name = outcome === 'status' ? String(status) : outcome
    how[name] = (how[name] ?? 0) + 1
    if (method === 'GET') lostIdempotent += 1
    else lostOther += 1
  }
  const times = new Map<string, number>()
  for (const { nonce } of executed ?? []) times.set(nonce, (times.get(nonce) ?? 0) + 1)
  const posts = requests.filter(({ method }) => method === 'POST')
  return {
    requests: requests.length,
    answered: requests.filter(({ outcome }) => outcome === 'ok').length,
    refused,
    lostIdempotent,
    lostOther,
    how,
    slowestMs,
    executedTwice: posts.filter(({ nonce }) => (times.get(nonce) ?? 0) > 1).length,
    answeredNotExecuted:
      executed === null ? 0 : posts.filter(({ nonce, outcome }) => outcome === 'ok' && !times.has(nonce)).length,
    ledger:
      traffic?.complete === true
        ? { arrived: traffic.totals.arrived, answered: traffic.totals.answered, broken: traffic.totals.broken }
        : null,
  }
}

/** What does not fit together, in words; empty where all three agree. */
export function disagreements({ requests, answered, refused, ledger, ...rest }: Losses): string[] {
  const found: string[] = []
  if (rest.executedTwice > 0) found.push(`${rest.executedTwice} POSTs were carried out twice`)
  if (rest.answeredNotExecuted > 0) found.push(`${rest.answeredNotExecuted} POSTs were answered by nobody`)
  if ((rest.how['corrupt'] ?? 0) > 0) found.push(`${rest.how['corrupt']} answers were wrong`)
  if (ledger === null) return found
  const sent = requests - refused
  if (ledger.arrived !== sent) found.push(`the clients sent ${sent}, the ledger says ${ledger.arrived} arrived`)
  if (ledger.answered !== answered) found.push(`${answered} were answered, the ledger says ${ledger.answered}`)
  return found
}

/** In a few words. */
export function lossWords({ requests, answered, refused, lostIdempotent, lostOther, how, slowestMs }: Losses): string {
  const ways = Object.entries(how).map(([name, count]) => `${count} ${name}`)
  const lost = lostIdempotent + lostOther === 0 ? 'none lost' : `lost ${lostIdempotent} GET, ${lostOther} POST`
  const said = [`${answered} of ${requests} answered`, ways.length === 0 ? lost : `${lost} (${ways.join(', ')})`]
  if (refused > 0) said.push(`${refused} connections refused`)
  return `${said.join(', ')}, slowest ${slowestMs} ms`
}
