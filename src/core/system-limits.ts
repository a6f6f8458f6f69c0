import { readFileSync } from 'node:fs'

/** What the system lets a process do; null where it does not say (not Linux). */
export interface SystemLimits {
  /** Descriptors a process may have open. */
  readonly openFiles: number | null
  /** Connections that may wait to be accepted on one address. */
  readonly backlog: number | null
  /** Local ports of connections that a process makes, both included. */
  readonly ephemeralPorts: { readonly from: number; readonly to: number } | null
}

/** What Node asks for on each address; the system grants at most `backlog`. */
const ASKED_BACKLOG = 511
const FEW_FILES = 4096
const FEW_PORTS = 16_384

export function readSystemLimits(): SystemLimits {
  const [, files] = /^Max open files\s+(\S+)/m.exec(read('/proc/self/limits') ?? '') ?? []
  const [from, to] = (read('/proc/sys/net/ipv4/ip_local_port_range') ?? '').trim().split(/\s+/).map(Number)
  const backlog = Number(read('/proc/sys/net/core/somaxconn') ?? Number.NaN)
  return {
    openFiles: files === undefined ? null : files === 'unlimited' ? Infinity : Number(files),
    backlog: Number.isNaN(backlog) ? null : backlog,
    ephemeralPorts: from === undefined || to === undefined ? null : { from, to },
  }
}

/**
 * What a person should know before a load test, a line each, with what to do. `instancePorts`: where instances listen; a port
 * that a connection has taken cannot be listened on.
 */
export function limitWarnings(
  { openFiles, backlog, ephemeralPorts }: SystemLimits,
  instancePorts: { readonly from: number; readonly to: number },
): string[] {
  const warnings: string[] = []
  if (openFiles !== null && openFiles < FEW_FILES) {
    const connections = Math.floor(openFiles / 2)
    warnings.push(
      `a process may open ${openFiles} files, so a worker of the proxy serves at most about ${connections} connections at once: raise it (\`ulimit -n 65536\`)`,
    )
  }
  if (backlog !== null && backlog < ASKED_BACKLOG) {
    warnings.push(
      `at most ${backlog} connections may wait to be accepted on an address, and more at once are slow to connect: raise it (\`sysctl net.core.somaxconn=4096\`)`,
    )
  }
  if (ephemeralPorts === null) return warnings
  const { from, to } = ephemeralPorts
  const count = to - from + 1
  if (count < FEW_PORTS) {
    warnings.push(
      `connections leave from ${count} local ports, which bounds how many go to one instance: widen it (\`sysctl net.ipv4.ip_local_port_range="32768 60999"\`)`,
    )
  }
  if (from <= instancePorts.to && instancePorts.from <= to) {
    warnings.push(
      `instances listen on ports ${instancePorts.from} to ${instancePorts.to}, where local ports of connections are taken from, too (${from} to ${to}): move \`portRange\` in vipswap.yaml`,
    )
  }
  return warnings
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return null
  }
}
