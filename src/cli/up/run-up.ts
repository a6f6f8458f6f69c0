import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { createClient, type Client, type ClientTls } from '../../client/client.ts'
import type { Address } from '../../core/address.ts'
import { VipswapError, errorMessage } from '../../core/errors.ts'
import { readTokenFile } from '../../core/token-file.ts'
import type { AdminTlsConfig } from '../../model/fabric-config.ts'
import { EXIT } from '../exit-codes.ts'
import { builtPrograms, type Programs } from '../programs.ts'
import type { Terminal } from '../terminal.ts'
import { adminUrl, checkFree } from './admin-address.ts'
import { startFabric, type Fabric } from './fabric.ts'
import type { PartEvent } from './supervised.ts'

export interface UpOptions {
  readonly data: string
  readonly nodes: number
  readonly admin: Address
  /** Processes of the data plane; default 1. */
  readonly workers?: number
  readonly config?: string
  /** Digest of what the controller reads from `config`. */
  readonly configuration?: () => string
  readonly tokenFile?: string
  /** Take the place of the `up` that runs on the data folder, if there is one. */
  readonly replace?: boolean
  /** A folder of cgroup v2 for the agents. */
  readonly cgroup?: string
  /** Where members of other machines dial. */
  readonly links?: string
  /** Of the admin address. */
  readonly tls?: AdminTlsConfig
  /** What `up` shows its own controller; default: nothing. */
  readonly clientTls?: ClientTls
  /** Default: those built beside this file. */
  readonly programs?: Programs
  readonly quiet?: boolean
}

export interface UpContext {
  readonly client: Client
  readonly url: string
  readonly note: (line: string) => void
  /** Aborted when the end is wanted. */
  readonly signal: AbortSignal
}

/** The controller has this long to become ready before `up` gives up. */
const READY_TIMEOUT_MS = 60_000
const READY_POLL_MS = 50
/** A controller that dies this often in a row will not come up. */
const MAX_QUICK_DEATHS = 4
const TAIL_LINES = 8

/**
 * Everything on this machine, in the foreground: starts or adopts the processes, waits until the controller is ready,
 * runs `whenReady`, then stays until SIGINT or SIGTERM and ends everything in order. Answers the exit status.
 */
export async function runUp(
  options: UpOptions,
  terminal: Terminal,
  whenReady: (context: UpContext) => Promise<void>,
): Promise<number> {
  const programs = options.programs ?? builtPrograms()
  checkBuilt(programs)
  const token = options.tokenFile === undefined ? undefined : readToken(options.tokenFile)
  const url = adminUrl(options.admin, options.tls === undefined ? 'http' : 'https')
  const tls = options.tls === undefined ? {} : { only: readFileSync(options.tls.cert, 'utf8'), ...options.clientTls }
  const client = createClient({ url, tls, ...(token === undefined ? {} : { token }) })
  const ending = new AbortController()
  const note = (line: string): void => {
    if (options.quiet !== true) terminal.err(`${line}\n`)
  }
  const stopListening = terminal.onInterrupt(signal => {
    if (ending.signal.aborted) {
      // The stop file stands: what runs finishes without us.
      terminal.err(`${signal} again: leaving at once; the processes end by themselves\n`)
      process.exit(EXIT.interrupted)
    }
    ending.abort()
  })
  try {
    const fabric = await startFabric({
      ...options,
      programs,
      onEvent: event => note(eventLine(event)),
      beforeController: async () => checkFree(options.admin),
    })
    let exitCode: number = EXIT.done
    try {
      await waitReady(client, fabric, ending.signal)
      if (!ending.signal.aborted) await whenReady({ client, url, note, signal: ending.signal })
      await aborted(ending.signal)
    } catch (error) {
      if (!ending.signal.aborted) {
        exitCode = EXIT.failed
        terminal.err(`vipswap: ${errorMessage(error)}\n`)
      }
    }
    note('stopping')
    const left = await fabric.stop()
    if (left.length > 0) {
      terminal.err(
        `not ended in time: ${left.join(', ')}; they still end what they run (logs: ${fabric.layout.logs})\n`,
      )
      return EXIT.failed
    }
    note('everything has ended')
    return exitCode
  } finally {
    stopListening()
    await client.close()
  }
}

async function waitReady(client: Client, fabric: Fabric, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + READY_TIMEOUT_MS
  for (;;) {
    const { ready, reason } = await client.ready()
    if (ready || signal.aborted) return
    const failing = fabric.parts.find(part => part.quickDeaths >= MAX_QUICK_DEATHS)
    if (failing !== undefined) {
      throw new VipswapError(
        'start_failed',
        `${failing.part.name} dies at once, its log ends:\n${tail(fabric, failing.part.name)}`,
      )
    }
    if (performance.now() > deadline) throw new VipswapError('timed_out', `not ready in time: ${reason}`)
    await delay(READY_POLL_MS, null, { signal }).catch(() => undefined)
  }
}

function tail({ layout }: Fabric, name: string): string {
  const path = join(layout.logs, `${name}.log`)
  const lines = existsSync(path) ? readFileSync(path, 'utf8').trimEnd().split('\n') : []
  return lines
    .slice(-TAIL_LINES)
    .map(line => `  ${line}`)
    .join('\n')
}

function checkBuilt(programs: Programs): void {
  for (const script of Object.values(programs)) {
    if (!existsSync(script)) throw new VipswapError('start_failed', `${script} is not there; run "npm run build" first`)
  }
}

/** One that may do what `up` does: an admin's, else the first there is. */
function readToken(file: string): string {
  const tokens = readTokenFile(file)
  return (tokens.find(({ role }) => role === 'admin') ?? tokens[0])?.token ?? ''
}

function eventLine(event: PartEvent): string {
  return `${new Date().toISOString()} ${event.name} ${happened(event)}`
}

function happened(event: PartEvent): string {
  switch (event.kind) {
    case 'started':
    case 'replaced':
      return `${event.kind} (pid ${event.pid})`
    case 'adopted':
      return `adopted (pid ${event.pid})${event.outdated === null ? '' : `, ${event.outdated}`}`
    case 'displaced':
      return `takes the place of pid ${event.pid}`
    case 'renewed':
      return `renewed: pid ${event.pid} was ${event.outdated}`
    case 'died':
      return `died (${event.how}), started again ${event.restartMs === 0 ? 'at once' : `in ${Math.round(event.restartMs)} ms`}`
  }
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise<void>(resolve => signal.addEventListener('abort', () => resolve(), { once: true }))
}
