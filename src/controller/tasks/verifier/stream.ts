import type { Pool } from 'undici'
import type { VerifyProbe } from '../../../model/role-traffic.ts'
import { isFine } from './exchange.ts'

/** The first event must come by then. */
const FIRST_MS = 15_000
/** How long a stream is kept; shorter than any drain, so that the end of one is never the verifier's loss. */
const HOLD_MS = 3000

/**
 * A stream of server-sent events: it begins, an event comes, it stays until it is let go. One that ends by itself between two
 * events is fine: that is how a stream is asked to come again elsewhere.
 */
export async function holdStream(pool: Pool, host: string, probe: VerifyProbe): Promise<string | null> {
  const leave = new AbortController()
  const first = setTimeout(() => leave.abort(new Error(`no event within ${FIRST_MS} ms`)), FIRST_MS)
  let text = ''
  let over = false
  try {
    const { statusCode, body } = await pool.request({
      path: probe.path,
      method: 'GET',
      headers: { host, accept: 'text/event-stream', 'user-agent': 'vipswap-verify' },
      signal: leave.signal,
    })
    if (!isFine(probe, statusCode)) {
      await body.dump()
      return `status ${statusCode}`
    }
    for await (const chunk of body.setEncoding('utf8')) {
      text = (text + String(chunk)).replaceAll('\r\n', '\n').slice(-65_536)
      if (over || !text.includes('\n\n')) continue
      clearTimeout(first)
      over = true
      setTimeout(() => leave.abort(), HOLD_MS).unref()
    }
    return over || text === '' ? null : 'the stream ended before its first event'
  } catch (thrown) {
    // Let go by us.
    if (over && leave.signal.aborted) return null
    throw leave.signal.aborted ? leave.signal.reason : thrown
  } finally {
    clearTimeout(first)
  }
}
