import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { isAlive, signalProcess, type ProcessIdentity } from '../../../src/core/process-identity.ts'
import { readAnswer, writeRequest, type ReplaceRequest } from './request.ts'

const POLL_MS = 50
/** The running proxy gives its successor 20 s. */
const PATIENCE_MS = 30_000

/** The process that has the lock of the proxy in `folder`; null where none runs. */
export function runningProxy(folder: string): ProcessIdentity | null {
  try {
    // Written whole by `lockFile`.
    const holder = JSON.parse(readFileSync(join(folder, 'proxy.lock'), 'utf8')) as ProcessIdentity
    return isAlive(holder) ? holder : null
  } catch {
    return null
  }
}

/** Has a running proxy replaced; answers its successor's pid. Rejects with what went wrong: then it serves on. */
export async function askForReplacement(
  folder: string,
  running: ProcessIdentity,
  request: Omit<ReplaceRequest, 'id'>,
): Promise<number> {
  const id = writeRequest(folder, request)
  signalProcess(running, 'SIGUSR2')
  const deadline = performance.now() + PATIENCE_MS
  for (;;) {
    const answer = readAnswer(folder, id)
    if (answer?.pid != null) return answer.pid
    if (answer !== null) throw new Error(answer.error ?? 'the proxy could not be replaced')
    if (!isAlive(running)) throw new Error('the running proxy ended meanwhile')
    if (performance.now() > deadline) throw new Error(`the running proxy (pid ${running.pid}) does not answer`)
    await pause(POLL_MS)
  }
}
