import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/**
 * How long what begins with the start of a process may take here and now, milliseconds: `usualMs`, or 12 starts of a Node that
 * does nothing, since on a busy machine any process takes longer to start.
 */
export async function boundOf(usualMs: number): Promise<number> {
  const began = performance.now()
  await promisify(execFile)(process.execPath, ['-e', '0'])
  return Math.max(usualMs, Math.round(12 * (performance.now() - began)))
}
