import { readFileSync, readdirSync, readlinkSync } from 'node:fs'

const LISTEN = '0A'

/**
 * Whose socket listens on a local port: `owned` if every listening socket on it belongs to one of `pids`, `stranger` if
 * any does not, `none` if nothing listens, `unknown` where the system does not tell (not Linux, or not our user).
 */
export type PortOwner = 'owned' | 'stranger' | 'none' | 'unknown'

/** Reads /proc/net/tcp{,6} (proc(5)) and the descriptors of `pids`; IPv4 and IPv6 listeners count alike. */
export function portOwner(port: number, pids: readonly number[]): PortOwner {
  if (process.platform !== 'linux') return 'unknown'
  const inodes = listeningInodes(port)
  if (inodes.size === 0) return 'none'
  let readable = 0
  for (const pid of pids) {
    let names: string[]
    try {
      names = readdirSync(`/proc/${pid}/fd`)
      readable += 1
    } catch {
      continue
    }
    for (const name of names) {
      try {
        const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${name}`))?.[1]
        if (inode !== undefined) inodes.delete(inode)
      } catch {
        // Closed meanwhile.
      }
    }
    if (inodes.size === 0) return 'owned'
  }
  return readable === 0 && pids.length > 0 ? 'unknown' : 'stranger'
}

function listeningInodes(port: number): Set<string> {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const inodes = new Set<string>()
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    let text: string
    try {
      text = readFileSync(table, 'latin1')
    } catch {
      continue
    }
    for (const line of text.split('\n')) {
      if (!line.includes(suffix)) continue
      const fields = line.trim().split(/\s+/)
      const inode = fields[9]
      if (fields[1]?.endsWith(suffix) === true && fields[3] === LISTEN && inode !== undefined) inodes.add(inode)
    }
  }
  return inodes
}
