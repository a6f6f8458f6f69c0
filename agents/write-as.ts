import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { VipswapError } from '../src/core/errors.ts'
import type { Account } from './account.ts'
import { confinedWords, type Confinement } from './confinement.ts'
import { signalGroup } from './process-table.ts'

const WRITE = 'umask 077 && mkdir -p "${1%/*}" && cat >"$1.tmp" && mv -f "$1.tmp" "$1"'
const TIMEOUT_MS = 5000

/**
 * Writes a file whole, by rename, as an account: in a folder of the account's root would follow whatever link it finds, the
 * account itself gains nothing by one. It may also stop what writes, or let it wait at a pipe: nothing here waits for
 * that but this call, and not for long. Throws `start_failed`.
 */
export async function writeAs(
  confinement: Confinement,
  account: Account,
  { path, text, timeoutMs = TIMEOUT_MS }: { path: string; text: string; timeoutMs?: number },
): Promise<void> {
  const [program = '', ...rest] = confinedWords(confinement, account, ['/bin/sh', '-c', WRITE, 'sh', path])
  // A group of its own, so that all of it can be killed.
  const child = spawn(program, rest, { stdio: ['pipe', 'ignore', 'ignore'], env: {}, detached: true })
  const late = setTimeout(() => child.pid !== undefined && signalGroup(child.pid, 'SIGKILL'), timeoutMs)
  try {
    child.stdin.on('error', () => {})
    child.stdin.end(text)
    const [code]: unknown[] = await once(child, 'exit')
    if (code !== 0) throw new VipswapError('start_failed', `${path} could not be written as ${account.name}`)
  } finally {
    clearTimeout(late)
  }
}
