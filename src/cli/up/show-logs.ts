import { setTimeout as delay } from 'node:timers/promises'
import { logLine } from '../print/visible.ts'
import type { Terminal } from '../terminal.ts'
import type { UpContext } from './run-up.ts'

const AGAIN_MS = 500

/** Passes on what the instances in production write, until `signal`. Over a break it goes on with what comes then. */
export function showLogs(
  { client, signal }: UpContext,
  terminal: Terminal,
  service: string,
  instances: readonly string[],
): void {
  for (const instance of instances) void follow(instance)

  async function follow(instance: string): Promise<void> {
    // At first all that there is: it may have started before anybody listened.
    let tail: number | undefined
    while (!signal.aborted) {
      try {
        let rest = ''
        const options = { follow: true, signal, ...(tail === undefined ? {} : { tail }) }
        for await (const piece of client.logs(service, 'production', instance, options)) {
          const lines = (rest + piece).split('\n')
          rest = lines.pop() ?? ''
          for (const each of lines) {
            const line = logLine(each, terminal)
            terminal.out(instances.length === 1 ? line : `${instance} ${line}`)
          }
        }
      } catch {
        // The controller or the agent is away: it comes back.
      }
      tail = 0
      await delay(AGAIN_MS, null, { signal }).catch(() => undefined)
    }
  }
}
