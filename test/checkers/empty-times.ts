import type { History } from './recording.ts'

/** A time in which a slot was to hold nothing that runs, so that its address answers 503 as it should. */
export interface EmptyTime {
  readonly vip: string
  readonly from: number
  readonly to: number
}

/** From the call for each deletion to the end of the next creation in that slot; by the words of the calls. */
export function emptyTimes(history: History): EmptyTime[] {
  const found: EmptyTime[] = []
  const since = new Map<string, number>()
  for (const { call, start, end, outcome } of history.lines('operation')) {
    const [verb, vip = ''] = call.split(' ')
    if (verb === 'delete' && outcome !== 'refused') since.set(vip, Math.min(start, since.get(vip) ?? Infinity))
    const from = since.get(vip)
    if (verb !== 'create' || from === undefined || outcome !== 'Succeeded') continue
    found.push({ vip, from, to: end })
    since.delete(vip)
  }
  return [...found, ...[...since].map(([vip, from]) => ({ vip, from, to: Infinity }))]
}

/** Was the slot empty at any instant of this? */
export function mayBeEmpty(times: readonly EmptyTime[], vip: string, start: number, end: number): boolean {
  return times.some(time => time.vip === vip && start <= time.to && end >= time.from)
}
