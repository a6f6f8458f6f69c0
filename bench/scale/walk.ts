import { DEFAULT_LIMITS } from '../../src/contracts/routing.ts'
import type { FabricSettings } from '../../src/fabric/state.ts'
import { DEFAULT_FABRIC_CONFIG } from '../../src/model/load-fabric-config.ts'
import type { Release } from '../../src/model/release.ts'
import { endpoint, makeRelease, role } from '../../test/simulation/releases.ts'
import { Fleet, NO_COST, type Cost } from './fleet.ts'

/** The most there may be (Cloud Services). */
const DOMAINS = 20

export interface Size {
  readonly instances: number
  readonly roles: number
  readonly nodes: number
}

export interface Measured extends Size {
  readonly cost: Cost
  /** Of the whole walk: decisions and projections. */
  readonly cpuSeconds: number
  /** Above what the process held before there was a fabric: the highest between turns, after a collection at the end. */
  readonly heapMb: number
  readonly restMb: number
}

/** Deploys, upgrades in place over all domains in mode `auto`, and answers what the upgrade cost. */
export function walkOnce(size: Size, collect: () => void): Measured {
  collect()
  const empty = process.memoryUsage().heapUsed
  const releases = ['1.0.0', '2.0.0'].map(version => release(version, size))
  const fleet = new Fleet({ releases, nodes: size.nodes, proxies: 2, settings: SETTINGS })
  const slot = { service: 'scale', slot: 'production' } as const
  const [first, second] = releases.map(({ digest }) => digest)
  check(fleet.finish(fleet.command({ kind: 'create', ...slot, package: first ?? '', replace: false })))
  fleet.cost = { ...NO_COST }
  fleet.heap = 0
  const flags = { force: false, restartUnchanged: false, overlap: false }
  check(fleet.finish(fleet.command({ kind: 'upgrade', ...slot, package: second ?? '', mode: 'auto', ...flags })))
  const walked = Object.values(fleet.state.roles).flatMap(({ instances, target }) =>
    instances.filter(instance => instance.spec === target && instance.incarnation === 2),
  )
  if (walked.length !== size.instances) throw new Error(`${walked.length} of ${size.instances} instances were walked`)
  collect()
  const megabytes = (bytes: number): number => (bytes - empty) / 1_000_000
  const { cost } = fleet
  return {
    ...size,
    cost,
    cpuSeconds: (cost.applyMicros + cost.projectMicros) / 1_000_000,
    heapMb: megabytes(fleet.heap),
    restMb: megabytes(process.memoryUsage().heapUsed),
  }
}

function check(status: string): void {
  if (status !== 'Succeeded') throw new Error(`an operation ended ${status}`)
}

function release(version: string, { instances, roles }: Size): Release {
  const definitions = Array.from({ length: roles }, (_, index) =>
    role(`web${index}`, {
      instances: Math.floor(instances / roles) + (index < instances % roles ? 1 : 0),
      endpoints: [endpoint('http', 8080 + 10 * index)],
    }),
  )
  return makeRelease('scale', version, definitions, { upgradeDomainCount: DOMAINS })
}

const SETTINGS: FabricSettings = {
  vips: null,
  services: {},
  limits: DEFAULT_LIMITS,
  endpointDefaults: DEFAULT_FABRIC_CONFIG.endpointDefaults,
  portRange: { from: 20_000, to: 60_000 },
  sizes: {},
  quota: null,
  nodeTimeoutMs: 60_000,
}
