import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** The examples as they stand in the repository, seen from the compiled tests. */
export const EXAMPLES = fileURLToPath(new URL('../../../examples/', import.meta.url))

export interface RunningExample {
  readonly process: ChildProcess
  readonly port: number
  readonly url: string
  /** SIGTERM, then its exit status (null: it had to be killed). */
  stop(): Promise<number | null>
}

/** Starts `script` of an example on a free port and waits until it says where it listens. */
export async function startExample(
  t: { teardown: (fn: () => unknown) => void },
  script: string,
  env: Record<string, string> = {},
): Promise<RunningExample> {
  const child = spawn(process.execPath, [EXAMPLES + script], {
    env: { PATH: process.env['PATH'] ?? '', PORT: '0', HOST: '127.0.0.1', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  const exited = once(child, 'exit')
  const lines = createInterface({ input: child.stdout })
  // The first line; a process that dies before it closes its output, and then there is none.
  const first: Promise<string> = Promise.race([
    once(lines, 'line').then(([line]) => String(line)),
    exited.then(([status]) => {
      throw new Error(`${script} ended with ${String(status)} before it listened`)
    }),
  ])
  const port = Number(/:(\d+)$/.exec(await first)?.[1])
  return {
    process: child,
    port,
    url: `http://127.0.0.1:${port}`,
    async stop() {
      child.kill('SIGTERM')
      const [status] = await exited
      return typeof status === 'number' ? status : null
    },
  }
}
