import { readFileSync, readdirSync } from 'node:fs'

const USUAL_LIMIT = 1024
const USUALLY_OPEN = 32
/** Left free for listening again, logs, and what was accepted in the moment the bound was reached. */
const RESERVE = 32

/**
 * How many descriptors this process may use for connections. At the system's own limit libuv accepts a connection only
 * to close it, so the listeners have to rest before that.
 */
export function descriptorRoom(): number {
  return Math.max(2, limit() - open() - RESERVE)
}

function limit(): number {
  try {
    const [, soft] = /^Max open files\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? []
    return soft === 'unlimited' ? Infinity : Number(soft ?? USUAL_LIMIT)
  } catch {
    return USUAL_LIMIT
  }
}

function open(): number {
  try {
    return readdirSync('/proc/self/fd').length
  } catch {
    return USUALLY_OPEN
  }
}
