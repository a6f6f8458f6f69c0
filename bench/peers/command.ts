import { spawnSync } from 'node:child_process'
import { Child } from '../proxy/child.ts'
import type { RunningPeer, Setup } from './peer.ts'
import { listens } from './ports.ts'

/** First line of what a program says of its version. Throws where it is not installed. */
export function versionOf(command: string, argument: string): string {
  const { error, stdout, stderr } = spawnSync(command, [argument], { encoding: 'utf8' })
  if (error !== undefined) throw new Error(`${command} is not installed`)
  return (stdout || stderr).split('\n')[0]?.trim() ?? ''
}

/** Starts an installed server on the proxy's core and waits until it listens. */
export async function startServer(
  setup: Setup,
  port: number,
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<RunningPeer> {
  const child = new Child(command, setup.pin(command, args), env)
  await child.until('listens', async () => listens(port))
  return { port, pids: () => child.pids(), stop: async () => child.stop() }
}
