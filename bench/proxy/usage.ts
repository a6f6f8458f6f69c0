import { readFileSync, readdirSync } from 'node:fs'

/** Thread → nanoseconds on a core so far, user and system together. */
export type CpuTimes = ReadonlyMap<number, number>

/** Of all threads of these processes, from /proc/PID/task/TID/schedstat: its first field counts in nanoseconds. */
export function readCpu(pids: readonly number[]): CpuTimes {
  const times = new Map<number, number>()
  for (const pid of pids) {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      const text = readThread(pid, thread)
      if (text !== null) times.set(Number(thread), Number(text.split(' ')[0]))
    }
  }
  return times
}

/** Nanoseconds used between two readings. A thread that began meanwhile counts whole; one that ended is not known of. */
export function cpuBetween(before: CpuTimes, after: CpuTimes): number {
  let sum = 0
  for (const [thread, time] of after) sum += time - (before.get(thread) ?? 0)
  return sum
}

/** Bytes of memory these processes have resident, added up. */
export function readRss(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const kib = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]
    return sum + Number(kib ?? 0) * 1024
  }, 0)
}

/** A core's clock ticks so far. */
export interface CoreTicks {
  readonly busy: number
  readonly all: number
}

export function readCore(core: number): CoreTicks {
  return parseCore(readFileSync('/proc/stat', 'latin1'), core)
}

/** From proc(5)'s `cpuN user nice system idle iowait irq softirq steal …`. */
export function parseCore(stat: string, core: number): CoreTicks {
  const line = new RegExp(`^cpu${core} (.*)$`, 'm').exec(stat)?.[1] ?? ''
  const ticks = line.split(' ').slice(0, 8).map(Number)
  const all = ticks.reduce((sum, each) => sum + each, 0)
  return { all, busy: all - (ticks[3] ?? 0) - (ticks[4] ?? 0) }
}

function readThread(pid: number, thread: string): string | null {
  try {
    return readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1')
  } catch {
    // It ended between the listing and now.
    return null
  }
}
