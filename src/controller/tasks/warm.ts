import { setTimeout as delay } from 'node:timers/promises'
import { request } from 'undici'
import { errorMessage } from '../../core/errors.ts'
import type { TaskReport, TaskWork } from '../../contracts/task.ts'

/** Between two tries of a request that was not answered well. */
const AGAIN_MS = 500

/** Asks an instance all its requests in order, each again until it is answered well or its time is over. */
export async function warm(
  { requests }: Extract<TaskWork, { kind: 'warm' }>,
  report: (report: TaskReport) => void,
  signal: AbortSignal,
): Promise<void> {
  for (const one of requests) {
    const end = AbortSignal.any([signal, AbortSignal.timeout(one.timeoutMs)])
    let last = 'no answer'
    for (;;) {
      const answer = await ask(one, end)
      if (signal.aborted) return
      if (answer === null) break
      // What it said before its time was over says more than that it is over.
      if (!end.aborted) last = answer
      if (end.aborted) {
        const detail = `${new URL(one.url).pathname} was not answered well within ${one.timeoutMs} ms: ${last}`
        report({ kind: 'done', ok: false, detail })
        return
      }
      await delay(AGAIN_MS, undefined, { signal: end }).catch(() => undefined)
    }
  }
  report({ kind: 'done', ok: true, detail: '' })
}

/** null where the answer is fine, else what it was. */
async function ask(
  { url, host, accept }: Extract<TaskWork, { kind: 'warm' }>['requests'][number],
  signal: AbortSignal,
): Promise<string | null> {
  try {
    const { statusCode, body } = await request(url, { headers: { host, 'user-agent': 'vipswap-warm-up' }, signal })
    await body.dump()
    return accept.some(([from, to]) => statusCode >= from && statusCode <= to) ? null : `status ${statusCode}`
  } catch (thrown) {
    return errorMessage(thrown)
  }
}
