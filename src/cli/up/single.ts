import { linkSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { writeFileAtomic } from '../../core/atomic-file.ts'
import { VipswapError, systemCode } from '../../core/errors.ts'
import { readLive } from './pid-file.ts'
import { identify, isAlive, signalProcess } from '../../core/process-identity.ts'

const NAME = 'up'
const POLL_MS = 20

/**
 * Makes this the only `up` of a data folder; the returned function gives the place up again. Throws `already_running`.
 * A link is made whole or not at all, so of two that start together one loses.
 */
export function claim(pids: string, data: string): () => void {
  const path = join(pids, `${NAME}.json`)
  const own = join(pids, `${NAME}.${process.pid}.claim`)
  const identity = identify(process.pid)
  const text = JSON.stringify({ ...identity, name: NAME, args: [] })
  writeFileAtomic(own, text, { durable: false })
  try {
    for (let attempt = 0; attempt < 10; attempt += 1) {
      try {
        linkSync(own, path)
        return () => {
          if (read(path) === text) rmSync(path, { force: true })
        }
      } catch (error) {
        if (systemCode(error) !== 'EEXIST') throw error
      }
      const other = readLive(pids, NAME)
      if (other !== null) {
        throw new VipswapError(
          'already_running',
          `vipswap up (pid ${other.pid}) runs on ${data} already; use that one, take its place with --replace, or give another folder with --data`,
          { pid: other.pid },
        )
      }
      setAside(path, `${own}.old`)
    }
  } finally {
    rmSync(own, { force: true })
  }
  throw new VipswapError('already_running', `another vipswap up starts on ${data} at the same time; try again`)
}

/** Ends the `up` of a data folder, if there is one: at once, so that it stops nothing. Answers its pid. */
export async function displace(pids: string): Promise<number | null> {
  const other = readLive(pids, NAME)
  if (other === null) return null
  signalProcess(other, 'SIGKILL')
  while (isAlive(other)) await delay(POLL_MS)
  return other.pid
}

/** Moves what a dead `up` left out of the way; only one of several that try at once succeeds. */
function setAside(path: string, to: string): void {
  try {
    renameSync(path, to)
    rmSync(to, { force: true })
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
