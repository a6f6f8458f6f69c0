import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { hostname, uptime } from 'node:os'

/**
 * A moment. `wall` is Unix milliseconds, for people; `mono` is milliseconds of a clock that never jumps, for durations;
 * two `mono` values compare only under the same `bootId`.
 */
export interface Moment {
  readonly wall: number
  readonly mono: number
  readonly bootId: string
}

export interface Clock {
  now(): Moment
}

let bootId: string | null = null

/** This boot of this machine; survives process restarts, changes at a reboot. */
export function readBootId(): string {
  // Read once: no process outlives its boot.
  bootId ??= findBootId()
  return bootId
}

function findBootId(): string {
  try {
    if (process.platform === 'darwin') {
      return execFileSync('/usr/sbin/sysctl', ['-n', 'kern.bootsessionuuid'], { encoding: 'utf8' }).trim()
    }
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    // Neither Linux nor macOS: the boot's own second stands in for it, a second off in another process at worst.
    return `${hostname()}-${Math.round(Date.now() / 1000 - uptime())}`
  }
}

/** The machine's clocks. `process.hrtime` counts from boot, so it goes on across restarts of a process. */
export function createSystemClock(): Clock {
  const bootId = readBootId()
  return { now: () => ({ wall: Date.now(), mono: Number(process.hrtime.bigint() / 1000n) / 1000, bootId }) }
}
