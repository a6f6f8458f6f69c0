import { Readable } from 'node:stream'
import type { Pool } from 'undici'
import type { VerifyProbe } from '../../../model/role-traffic.ts'

/** A short request must have its answer by then, a slow one by the second. */
const SHORT_MS = 15_000
const SLOW_MS = 60_000
const USER_AGENT = 'vipswap-verify'

/** One request and its whole answer. Answers what was wrong with it, or null; rejects where there was no whole answer. */
export async function exchange(pool: Pool, host: string, probe: VerifyProbe): Promise<string | null> {
  const { kind, path } = probe
  const body = kind === 'post' || kind === 'chunked' ? (probe.body ?? 'vipswap') : null
  const { statusCode, body: answer } = await pool.request({
    path,
    method: body === null ? 'GET' : 'POST',
    headers: { host, 'user-agent': USER_AGENT, ...(body === null ? {} : { 'content-type': 'text/plain' }) },
    // A stream has no length: it is sent in chunks.
    ...(body === null ? {} : { body: kind === 'chunked' ? Readable.from(halves(body)) : body }),
    signal: AbortSignal.timeout(kind === 'slow' ? SLOW_MS : SHORT_MS),
  })
  for await (const _chunk of answer);
  return isFine(probe, statusCode) ? null : `status ${statusCode}`
}

export function isFine({ accept }: VerifyProbe, status: number): boolean {
  return accept.some(([from, to]) => status >= from && status <= to)
}

function halves(text: string): string[] {
  const middle = Math.ceil(text.length / 2)
  return [text.slice(0, middle), text.slice(middle)].filter(part => part !== '')
}
