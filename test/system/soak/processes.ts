import { readFileSync, readdirSync, readlinkSync } from 'node:fs'
import { listProcesses } from '../../../src/core/process-identity.ts'
import type { ServiceView } from '../../../src/contracts/api/service.ts'
import { SLOTS } from '../../../src/model/slot.ts'
import type { FoundProcess, ProcessesLine } from '../../checkers/lines.ts'
import { timeNow } from '../faults/history/recorder.ts'

/** Every live process that runs below a data folder: by its folder, its arguments, or an instance's environment. */
export function findProcesses(data: string): FoundProcess[] {
  const listeners = listeningSockets()
  return listProcesses().flatMap(({ pid, group, alive }) => {
    if (!alive || pid === process.pid) return []
    try {
      const command = read(pid, 'cmdline').replaceAll('\0', ' ').trim()
      const variables = new Map(
        read(pid, 'environ')
          .split('\0')
          .map(line => splitOnce(line)),
      )
      const isRole = variables.get('RoleRoot')?.startsWith(data) === true
      if (!isRole && !command.includes(data) && !readlinkSync(`/proc/${pid}/cwd`).startsWith(data)) return []
      const deployment = isRole ? (variables.get('DEPLOYMENT_ID') ?? '') : ''
      const instance = isRole ? (variables.get('ROLE_INSTANCE_ID') ?? '') : ''
      return [{ pid, group, deployment, instance, ports: portsOf(pid, listeners), command }]
    } catch {
      // It has ended meanwhile.
      return []
    }
  })
}

/** What runs beside what is listed. To be taken while nothing is under way. */
export function processesLine(data: string, services: readonly ServiceView[]): ProcessesLine {
  const listed = services.flatMap(({ slots }) =>
    SLOTS.flatMap(slot =>
      (slots[slot]?.instances ?? []).map(({ id, pid }) => ({ deployment: slots[slot]?.id ?? '', instance: id, pid })),
    ),
  )
  return { type: 'processes', at: timeNow(), listed, found: findProcesses(data) }
}

function read(pid: number, name: string): string {
  return readFileSync(`/proc/${pid}/${name}`, 'utf8')
}

function splitOnce(text: string): [string, string] {
  const at = text.indexOf('=')
  return [text.slice(0, at), text.slice(at + 1)]
}

const LISTEN = '0A'

/** Inode of each listening TCP socket → its port, as /proc/net/tcp says (proc(5)). */
function listeningSockets(): Map<string, number> {
  const found = new Map<string, number>()
  for (const table of ['tcp', 'tcp6']) {
    for (const line of readFileSync(`/proc/net/${table}`, 'latin1').split('\n').slice(1)) {
      const fields = line.trim().split(/\s+/)
      const port = Number.parseInt(fields[1]?.split(':')[1] ?? '', 16)
      if (fields[3] === LISTEN && fields[9] !== undefined) found.set(fields[9], port)
    }
  }
  return found
}

function portsOf(pid: number, listeners: ReadonlyMap<string, number>): number[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap(name => {
    const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${name}`))?.[1]
    return listeners.get(inode ?? '') ?? []
  })
}
