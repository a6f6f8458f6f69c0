import type { Browser, Page } from 'playwright-core'

/** The part of a trace event that is looked at: times in microseconds, `tdur` of the thread's own clock. */
interface TraceEvent {
  readonly name: string
  readonly ph: string
  readonly pid: number
  readonly tid: number
  readonly tdur?: number
  readonly args: { readonly name?: string }
}

const TASK = 'ThreadControllerImpl::RunTask'

/**
 * Milliseconds of processor time of the longest task that a page's main thread runs in the next `ms` milliseconds. What
 * others on the machine took meanwhile does not count, as it would by the clock on the wall.
 */
export async function longestTask(browser: Browser, page: Page, ms: number): Promise<number> {
  await browser.startTracing(page, { categories: ['toplevel'] })
  await page.evaluate(`new Promise(resolve => setTimeout(resolve, ${ms}))`)
  const trace = JSON.parse((await browser.stopTracing()).toString()) as { traceEvents: TraceEvent[] } // as Chromium documents it
  const mains = new Set(
    trace.traceEvents
      .filter(({ name, args }) => name === 'thread_name' && args.name === 'CrRendererMain')
      .map(({ pid, tid }) => `${pid}/${tid}`),
  )
  const times = trace.traceEvents.flatMap(({ name, ph, pid, tid, tdur }) =>
    name === TASK && ph === 'X' && mains.has(`${pid}/${tid}`) && tdur !== undefined ? [tdur / 1000] : [],
  )
  if (times.length === 0) throw new Error('the trace shows no task of a page: this Chromium words it differently')
  return Math.max(...times)
}
