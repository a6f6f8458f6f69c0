import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  DEFAULT_LIMITS,
  DEFAULT_OPTIONS,
  DEFAULT_POLICY,
  type Listener,
  type Pool,
  type RoutingTable,
  type TlsCertificate,
} from '../../src/contracts/routing.ts'
import { Child } from '../proxy/child.ts'
import { ControllerStub } from './controller-stub.ts'
import type { Certificate, Peer, RunningPeer, Setup } from './peer.ts'
import { projectVersion } from './package-version.ts'

const MAIN = fileURLToPath(new URL('../../proxy/main.js', import.meta.url))

/** vipswap as it is run: the holder's process and its workers' under a table of ours. */
export const vipswap: Peer = {
  name: 'vipswap',
  version: projectVersion,
  lacks: () => null,
  start: async setup => startVipswap(setup),
}

export interface RunningVipswap extends RunningPeer {
  /** Makes production's instance the one on `origin`, staging's the other's; resolves when it is acknowledged. */
  readonly swap: (production: number, staging: number) => Promise<void>
  /** The workers' processes; the first of `pids` is the holder. */
  readonly workers: () => number[]
  /** What its processes wrote to stderr lately. */
  readonly errors: () => string
}

/** The proxy with one worker and no access log unless told otherwise. A swap goes between `origin` and whatever else `swap` is told. */
export async function startVipswap(
  setup: Setup,
  { workers = 1, accessLog = null }: { workers?: number; accessLog?: 'json' | null } = {},
): Promise<RunningVipswap> {
  const data = join(setup.folder, 'data')
  const run = join(setup.folder, 'run')
  mkdirSync(run)
  const controller = new ControllerStub()
  await controller.listen(run)
  const args = [MAIN, '--data', data, '--run', run, '--workers', String(workers)]
  // As `vipswap up` runs it: nothing but what it needs.
  const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], VIPSWAP_LOG: 'silent' }
  const child = new Child('vipswap', setup.pin(process.execPath, args), env)
  const certificate = setup.tls === null ? null : tlsCertificate(setup.tls)
  let revision = 0
  const push = async (production: number, staging: number): Promise<number> => {
    const pushed = controller.push({
      ...table(++revision, certificate, production, staging),
      limits: { ...DEFAULT_LIMITS, accessLog },
    })
    const ack = await Promise.race([pushed, child.exited])
    if (ack === null || typeof ack === 'number') throw new Error(`vipswap has ended: ${child.errors}`)
    const { port = null, error = '' } = ack.listeners[0] ?? {}
    if (port === null) throw new Error(`vipswap could not listen: ${error}`)
    return port
  }
  const port = await push(setup.origin, setup.origin)
  return {
    port,
    swap: async (production, staging) => void (await push(production, staging)),
    pids: () => child.pids(),
    workers: () => child.pids().slice(1),
    errors: () => child.errors,
    async stop() {
      await child.stop()
      controller.close()
    },
  }
}

/** Two slots with one instance each, as a service in production and staging has. */
function table(n: number, certificate: TlsCertificate | null, production: number, staging: number): RoutingTable {
  const pools = [...new Set([production, staging])].map(pool)
  return {
    fabric: 'bench',
    revision: { term: 1, n },
    listeners: [listener('production', certificate, production), listener('staging', certificate, staging)],
    pools: Object.fromEntries(pools.map(each => [each.key, each])),
    certificates: certificate === null ? {} : { [certificate.id]: certificate },
    limits: DEFAULT_LIMITS,
  }
}

function tlsCertificate(files: Certificate): TlsCertificate {
  const [chain, key] = [readFileSync(files.certificate, 'utf8'), readFileSync(files.key, 'utf8')]
  const id = createHash('sha256')
    .update(chain + key)
    .digest('hex')
  return { id, chain, key, names: ['localhost'] }
}

function listener(slot: 'production' | 'staging', certificate: TlsCertificate | null, origin: number): Listener {
  return {
    key: `bench/${slot}/web/http`,
    service: 'bench',
    slot,
    role: 'web',
    endpoint: 'http',
    protocol: certificate === null ? 'http' : 'https',
    tls: certificate === null ? null : { certificates: [certificate.id], clientAuth: null },
    options: DEFAULT_OPTIONS,
    host: '127.0.0.1',
    port: 0,
    hostNames: [slot === 'production' ? 'bench.localhost' : 'staging.bench.localhost'],
    pool: `d${origin}/web/http`,
    reason: null,
  }
}

function pool(origin: number): Pool {
  const deployment = `d${origin}`
  const instance = { instance: 'web_IN_0', version: '1.0.0', host: '127.0.0.1', port: origin, weight: 1 }
  return {
    key: `${deployment}/web/http`,
    service: 'bench',
    deployment,
    role: 'web',
    endpoint: 'http',
    policy: DEFAULT_POLICY,
    targets: [{ key: `${deployment}/web_IN_0#1.1`, state: 'in', ...instance }],
    expecting: false,
    drainTimeoutMs: 1000,
  }
}
