import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { VipswapError, systemCode } from './errors.ts'
import { identify, isAlive, signalProcess, type ProcessIdentity } from './process-identity.ts'

const HANDOVER_MS = 5000
const HANDOVER_POLL_MS = 20

/**
 * One process per file: takes the lock or throws `already_running`, naming `what` it is that runs already. A lock whose
 * holder (pid, start time, boot) is gone is taken over. With `replace` a living holder is asked to leave (SIGTERM) and
 * waited for, 5 s at most. Returns how to give the lock back.
 */
export async function lockFile(path: string, what: string, { replace = false } = {}): Promise<() => void> {
  mkdirSync(dirname(path), { recursive: true })
  const mine = JSON.stringify(identify(process.pid))
  const temporary = `${path}.${process.pid}`
  const deadline = performance.now() + HANDOVER_MS
  let asked: number | null = null
  writeFileSync(temporary, mine)
  try {
    for (;;) {
      if (tryLink(temporary, path)) return () => rmSync(path, { force: true })
      const text = readText(path)
      const holder = parse(text)
      if (holder !== null && isAlive(holder)) {
        if (!replace || holder.pid === process.pid || performance.now() > deadline) {
          throw new VipswapError('already_running', `${what} (pid ${holder.pid}) runs already`)
        }
        if (asked !== holder.pid) signalProcess(holder, 'SIGTERM')
        asked = holder.pid
        await delay(HANDOVER_POLL_MS)
      } else if (text !== null) {
        removeStale(path, text)
      }
    }
  } finally {
    rmSync(temporary, { force: true })
  }
}

/** A link either makes the whole file appear or fails: there is no moment in which the lock is empty. */
function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false
    throw error
  }
}

/** Removes the lock that was read as stale, and not one that somebody quicker has put in its place meanwhile. */
function removeStale(path: string, stale: string): void {
  const aside = `${path}.${process.pid}.stale`
  try {
    renameSync(path, aside)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return
    throw error
  }
  if (readText(aside) !== stale) tryLink(aside, path)
  rmSync(aside, { force: true })
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}

function parse(text: string | null): ProcessIdentity | null {
  try {
    // Written by `lockFile` alone, whole.
    return text === null ? null : (JSON.parse(text) as ProcessIdentity)
  } catch {
    return null
  }
}
