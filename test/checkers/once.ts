import type { History } from './recording.ts'
import type { Verdict, Violation } from './verdict.ts'

/** No POST was carried out twice, none was answered 200 that nobody carried out, and none was carried out that nobody sent. */
export function checkOnce(history: History): Verdict {
  const times = new Map<string, number>()
  for (const { nonce } of history.lines('executed')) times.set(nonce, (times.get(nonce) ?? 0) + 1)
  const violations: Violation[] = []
  let judged = 0
  for (const { method, nonce, outcome, start, vip } of history.lines('request')) {
    if (method !== 'POST') continue
    judged += 1
    const count = times.get(nonce) ?? 0
    times.delete(nonce)
    if (count > 1) violations.push({ at: start, text: `POST ${nonce} on ${vip} was carried out ${count} times` })
    if (count === 0 && outcome === 'ok')
      violations.push({ at: start, text: `POST ${nonce} on ${vip} was answered 200, and nobody carried it out` })
  }
  for (const [nonce, count] of times)
    violations.push({ at: 0, text: `POST ${nonce}, which nobody sent, was carried out ${count} times` })
  return { name: 'exactly once', judged, of: 'POSTs', violations }
}
