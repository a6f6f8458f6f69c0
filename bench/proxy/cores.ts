import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** Puts a command on certain cores. */
export type Pin = (command: string, args: readonly string[]) => [command: string, args: string[]]

/** One core for the proxy, another for the load and the instance behind it. */
export interface Cores {
  readonly proxy: Pin
  readonly load: Pin
  readonly loadCore: number
  /** All cores but the load's: for a proxy of several workers. */
  readonly others: Pin
  readonly text: string
}

/** The last two cores this process may use. Throws where there are none: all on one core measures something else. */
export function takeCores(): Cores {
  const allowed = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? ''
  const all = parseCpuList(allowed)
  const [load, proxy] = all.slice(-2)
  if (load === undefined || proxy === undefined) throw new Error(`two cores are needed; this process has: ${allowed}`)
  // This process itself, with all its threads, keeps off the proxy's core.
  execFileSync('taskset', ['-a', '-cp', String(load), String(process.pid)], { stdio: 'ignore' })
  return {
    proxy: pinTo(proxy),
    load: pinTo(load),
    loadCore: load,
    others: pinTo(...all.filter(core => core !== load)),
    text: `proxy on core ${proxy}, load and instance on core ${load}`,
  }
}

function pinTo(...cores: number[]): Pin {
  return (command, args) => ['taskset', ['-c', cores.join(','), command, ...args]]
}

/** `0-2,5` is 0, 1, 2, 5. */
export function parseCpuList(text: string): number[] {
  return text
    .split(',')
    .filter(part => /^\d+(-\d+)?$/.test(part))
    .flatMap(part => {
      const [first = 0, last = first] = part.split('-').map(Number)
      return Array.from({ length: last - first + 1 }, (_, index) => first + index)
    })
}
