import type { DeploymentView } from '../../../src/contracts/api/deployment.ts'
import type { InstanceView } from '../../../src/contracts/api/instance.ts'
import type { ServiceView } from '../../../src/contracts/api/service.ts'
import type { UpgradeStatusView } from '../../../src/contracts/api/upgrade-status.ts'
import type { ControllerApi } from '../../../src/controller/controller-api.ts'
import type { Slot } from '../../../src/model/slot.ts'
import { FakeController } from '../../integration/admin/fake-controller.ts'

const ROLES = ['web', 'worker']
const DOMAINS = 5

/** A controller in memory whose one service, `large`, is in the middle of an upgrade and changes with each `disturb()`. */
export class LargeFabric extends FakeController {
  readonly #count: number
  #changes = 0

  /** `instances`: over both roles and both slots. */
  constructor(instances: number) {
    super()
    this.#count = instances / (2 * ROLES.length)
    this.addService('large', { production: '1.0.0', staging: '0.9.0' })
  }

  override service = (name: string): ServiceView | null => {
    const plain = this.plain(name)
    if (plain === null) return null
    const slots = { production: this.#enlarge(plain, 'production'), staging: this.#enlarge(plain, 'staging') }
    return { ...plain, slots }
  }
  override services = (): readonly ServiceView[] => [this.service('large')].filter(service => service !== null)
  override deployment = (name: string, slot: Slot): DeploymentView | null => this.service(name)?.slots[slot] ?? null

  override trafficSeries: ControllerApi['trafficSeries'] = (service, seconds, after) => {
    const now = Math.floor(Date.now() / 1000)
    const points = Array.from({ length: seconds }, (_, i) => now - seconds + i + 1)
      .filter(second => second > after)
      .map(second => ({
        at: new Date(second * 1000).toISOString(),
        seq: second,
        rows: (['1.0.0', '1.1.0'] as const).map((version, i) => ({
          slot: 'production' as const,
          deployment: 'dep-production',
          version,
          requests: 400 + ((second * 37 + i * 91) % 120),
          errors: 0,
          held: 0,
          open: second % 7,
          replayed: 0,
          p50Ms: 2 + (second % 3),
          p99Ms: 9 + (second % 11),
        })),
      }))
    return { service, stepMs: 1000, points }
  }

  /** One instance of production changes its state, and an event says so. Answers the event's number. */
  disturb(): number {
    this.#changes += 1
    return this.note(`web_IN_${this.#changes % this.#count} is not what it was`, 'large').seq
  }

  #enlarge(plain: ServiceView, slot: Slot): DeploymentView | null {
    const deployment = plain.slots[slot]
    if (deployment === null) return null
    const upgrading = slot === 'production'
    const instances = ROLES.flatMap(role =>
      Array.from({ length: this.#count }, (_, index) => this.#instance(role, index, deployment.version, upgrading)),
    )
    return {
      ...deployment,
      effectiveUpgradeDomainCount: DOMAINS,
      ...(upgrading ? { status: 'RunningTransitioning', upgradeStatus: UPGRADE } : {}),
      roles: ROLES.map(name => ({
        name,
        kind: 'web',
        version: deployment.version,
        size: null,
        cores: 1,
        instances: this.#count,
        ready: instances.filter(({ role, status }) => role === name && status === 'ReadyRole').length,
        endpoints: name === 'web' ? [{ name: 'http', protocol: 'http', port: 8080, internal: false }] : [],
        certificates: [],
      })),
      instances,
    }
  }

  #instance(role: string, index: number, version: string, upgrading: boolean): InstanceView {
    const restless = upgrading && role === 'web' && index === this.#changes % this.#count
    const domain = index % DOMAINS
    return {
      id: `${role}_IN_${index}`,
      role,
      version: upgrading && domain < 2 ? '1.1.0' : version,
      status: restless ? 'UnresponsiveRole' : 'ReadyRole',
      upgradeDomain: domain,
      faultDomain: index % 2,
      node: `node-${index % 2}`,
      routing: restless ? 'out' : 'in',
      inFlight: upgrading ? (index + this.#changes) % 5 : 0,
      restarts: 0,
      pid: 1000 + index,
      detail: restless ? 'probe failed: HTTP 503: the database is away' : 'HTTP 200',
      drained: false,
      localStorage: [],
    }
  }
}

const UPGRADE: UpgradeStatusView = {
  type: 'Auto',
  mode: 'monitored',
  direction: 'forward',
  fromVersion: '1.0.0',
  toVersion: '1.1.0',
  currentUpgradeDomain: 1,
  currentUpgradeDomainState: 'During',
  domains: [
    { domain: 0, state: 'done', waitingFor: null },
    { domain: 1, state: 'during', waitingFor: 'the deployment to stay healthy for the stable duration' },
    { domain: 2, state: 'pending', waitingFor: null },
    { domain: 3, state: 'pending', waitingFor: null },
    { domain: 4, state: 'skipped', waitingFor: null },
  ],
  operationId: 'op-1',
  waitingFor: 'the deployment to stay healthy for the stable duration',
  verified: [0],
  clocks: [
    { name: 'stable', elapsedMs: 4000, limitMs: 10_000, running: true },
    { name: 'domain', elapsedMs: 9000, limitMs: null, running: true },
    { name: 'upgrade', elapsedMs: 21_000, limitMs: 600_000, running: true },
  ],
  stuck: [{ instance: 'web_IN_3', reason: 'probe failed: HTTP 503' }],
}
