import { execFile } from 'node:child_process'
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { formatAddress, type Address } from '../../core/address.ts'
import { writeFileAtomic } from '../../core/atomic-file.ts'
import { systemCode } from '../../core/errors.ts'
import type { AdminTlsConfig } from '../../model/fabric-config.ts'
import type { Programs } from '../programs.ts'
import { createLayout, type Layout } from './layout.ts'
import { pidFileNames, readLive } from './pid-file.ts'
import { isAlive, signalProcess } from '../../core/process-identity.ts'
import { outdated } from './outdated.ts'
import { claim, displace } from './single.ts'
import { supervise, type Part, type PartEvent, type Supervised } from './supervised.ts'

export interface FabricOptions {
  readonly data: string
  readonly nodes: number
  readonly admin: Address
  readonly workers?: number
  readonly config?: string
  /** Digest of what the controller reads from `config`. */
  readonly configuration?: () => string
  readonly tokenFile?: string
  /** Take the place of the `up` that runs on the data folder, if there is one. */
  readonly replace?: boolean
  readonly cgroup?: string
  readonly tls?: AdminTlsConfig
  readonly links?: string
  readonly programs: Programs
  readonly onEvent: (event: PartEvent) => void
  /** Asked before a controller is started, not when a live one is adopted. Throws if it cannot be. */
  readonly beforeController?: () => Promise<void>
}

/** The processes of one machine, kept running. */
export interface Fabric {
  readonly layout: Layout
  readonly parts: readonly Supervised[]
  /** Ends everything in order; answers the names of what had not ended in time. */
  stop(): Promise<readonly string[]>
}

/** Roles get their stop time (30 s by default) and their drain; longer than both. */
const AGENT_DEADLINE_MS = 75_000
const DEADLINE_MS = 10_000
const REPLACE_MS = 40_000
const POLL_MS = 20
const AGENT_NAME = /^node-(\d+)$/

/**
 * Starts controller, proxy and agents on a data folder, or adopts those that run on it. Rejects with `already_running`
 * if another `up` does this, and `replace` is not asked for.
 */
export async function startFabric(options: FabricOptions): Promise<Fabric> {
  const layout = createLayout(options.data)
  const displaced = options.replace === true ? await displace(layout.pids) : null
  if (displaced !== null) options.onEvent({ kind: 'displaced', name: 'up', pid: displaced })
  const release = claim(layout.pids, layout.data)
  const stopFile = join(layout.run, 'stop')
  try {
    // A stop that was cut short: its processes are on their way out, and may not be adopted.
    await finishOldStop(layout, stopFile)
    const controller = controllerPart(options, layout)
    const proxy = proxyPart(options, layout)
    const agents = agentParts(options, layout)
    await replaceProxy(layout, proxy, options.onEvent)
    await Promise.all([controller, ...agents].map(async part => endOutdated(layout, part, options.onEvent)))
    if (readLive(layout.pids, controller.name) === null) await options.beforeController?.()
    const parts = [controller, proxy, ...agents].map(part => supervise(part, layout, options.onEvent))
    return {
      layout,
      parts,
      async stop() {
        // Whoever sees the file may end before it is told to, and must not be started again.
        for (const part of parts) part.retire()
        writeFileAtomic(stopFile, 'stop wanted\n')
        // Roles outlive their agent: one that is down right now has some to end.
        for (const each of parts) if (AGENT_NAME.test(each.part.name)) each.endWhatItLeft()
        const left = await stopInOrder(parts)
        if (left.length === 0) rmSync(stopFile, { force: true })
        release()
        return left
      },
    }
  } catch (error) {
    release()
    throw error
  }
}

/** Agents first, because draining needs a proxy, and both a controller. */
async function stopInOrder(parts: readonly Supervised[]): Promise<string[]> {
  const agents = parts.filter(each => AGENT_NAME.test(each.part.name))
  const others = parts.filter(each => !agents.includes(each)).toReversed()
  const left: string[] = []
  const ended = await Promise.all(agents.map(async agent => agent.stop(AGENT_DEADLINE_MS)))
  // A late agent is not killed: the stop file stands, and it has role processes to end.
  agents.forEach((agent, index) => {
    if (ended[index] !== true) left.push(agent.part.name)
  })
  for (const part of others) {
    if (await part.stop(DEADLINE_MS)) continue
    part.kill()
    if (!(await part.stop(DEADLINE_MS))) left.push(part.part.name)
  }
  return left
}

async function finishOldStop(layout: Layout, stopFile: string): Promise<void> {
  if (!existsSync(stopFile)) return
  const names = pidFileNames(layout.pids).filter(name => name !== 'up')
  const deadline = performance.now() + AGENT_DEADLINE_MS
  for (const name of names.toSorted(agentsFirst)) {
    const record = readLive(layout.pids, name)
    if (record === null) continue
    signalProcess(record, 'SIGTERM')
    while (isAlive(record) && performance.now() < deadline) await delay(POLL_MS)
  }
  rmSync(stopFile, { force: true })
}

/**
 * Ends a controller or agent that is not what would be started now, for `supervise` to start it anew. Nothing else ends with it:
 * traffic needs neither, and the next agent adopts the instances.
 */
async function endOutdated({ pids }: Layout, part: Part, onEvent: (event: PartEvent) => void): Promise<void> {
  const record = readLive(pids, part.name)
  const why = record === null ? null : outdated(record, part)
  if (record === null || why === null) return
  signalProcess(record, 'SIGTERM')
  const deadline = performance.now() + DEADLINE_MS
  while (isAlive(record)) {
    await delay(POLL_MS)
    if (performance.now() > deadline) signalProcess(record, 'SIGKILL')
  }
  onEvent({ kind: 'renewed', name: part.name, pid: record.pid, outdated: why })
}

/** A proxy that is not what would be started now starts its own successor: no connection is refused or cut. */
async function replaceProxy({ pids, data }: Layout, part: Part, onEvent: (event: PartEvent) => void): Promise<void> {
  const record = readLive(pids, part.name)
  const why = record === null ? null : outdated(record, part)
  if (record === null || why === null) return
  const workers = part.args.at(-1) ?? '1'
  const asked = [part.script, '--replace', '--data', data, '--id', part.name, '--workers', workers]
  try {
    await promisify(execFile)(process.execPath, asked, { timeout: REPLACE_MS })
    onEvent({ kind: 'renewed', name: part.name, pid: record.pid, outdated: why })
  } catch {
    // The old one serves on and is adopted, and `up` says as what.
  }
}

function controllerPart(
  { programs, admin, config, configuration, tokenFile, tls, links }: FabricOptions,
  { data, run }: Layout,
): Part {
  const args = ['--data', data, '--run', run, '--admin', formatAddress(admin)]
  if (config !== undefined) args.push('--config', config)
  if (tokenFile !== undefined) args.push('--token-file', tokenFile)
  if (tls !== undefined) args.push('--tls-cert', tls.cert, '--tls-key', tls.key)
  if (links !== undefined) args.push('--links', links)
  if (tls?.clientCa != null) args.push('--client-ca', tls.clientCa)
  return { name: 'controller', script: programs.controller, args, ...(configuration && { configuration }) }
}

function proxyPart({ programs, workers = 1 }: FabricOptions, { data, run }: Layout): Part {
  const args = ['--data', data, '--run', run, '--id', 'proxy-0', '--workers', String(workers)]
  return { name: 'proxy-0', script: programs.proxy, args }
}

/**
 * As many as wanted, and every further one that lives or has a folder: instances may be placed there, and taking a node
 * away is a change of its own. Nodes of other names belong to agents that somebody else runs.
 */
function agentParts({ programs, nodes, cgroup }: FabricOptions, { data, run, pids }: Layout): Part[] {
  const names = new Set(Array.from({ length: nodes }, (_, index) => `node-${index}`))
  for (const name of pidFileNames(pids)) if (AGENT_NAME.test(name) && readLive(pids, name) !== null) names.add(name)
  for (const name of nodeFolders(data)) if (AGENT_NAME.test(name)) names.add(name)
  return [...names].map(name => ({
    name,
    script: programs.agent,
    args: ['--data', data, '--run', run, '--node', name, ...(cgroup === undefined ? [] : ['--cgroup', cgroup])],
  }))
}

function nodeFolders(data: string): string[] {
  try {
    return readdirSync(join(data, 'nodes'))
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return []
    throw error
  }
}

function agentsFirst(a: string, b: string): number {
  return Number(AGENT_NAME.test(b)) - Number(AGENT_NAME.test(a)) || (a < b ? 1 : -1)
}
