import { closeSync, readFileSync, readdirSync } from 'node:fs'

/** O_CLOEXEC of Linux, as /proc/PID/fdinfo shows it. */
const CLOSE_ON_EXEC = 0o2000000

/**
 * Closes what whoever started this process left open in it: role processes would inherit it in turn. All that Node opens
 * itself is closed on exec. Linux only; elsewhere nothing can be told apart.
 */
export function closeInherited(): void {
  for (const fd of descriptors()) {
    if (fd <= 2 || String(fd) === process.env['NODE_CHANNEL_FD']) continue
    try {
      const flags = /^flags:\s+([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1]
      if (flags !== undefined && (Number.parseInt(flags, 8) & CLOSE_ON_EXEC) === 0) closeSync(fd)
    } catch {
      // It was the one that read the list.
    }
  }
}

function descriptors(): number[] {
  try {
    return readdirSync('/proc/self/fd').map(Number)
  } catch {
    return []
  }
}
