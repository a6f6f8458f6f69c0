import { createHash } from 'node:crypto'
import type { Readable } from 'node:stream'
import type { DeploymentView } from '../../../src/contracts/api/deployment.ts'
import type { HealthView } from '../../../src/contracts/api/health.ts'
import type { EventView } from '../../../src/contracts/api/event.ts'
import type { OperationView } from '../../../src/contracts/api/operation.ts'
import type { ReceiptView } from '../../../src/contracts/api/receipt.ts'
import type { ServiceView } from '../../../src/contracts/api/service.ts'
import type { PlanView } from '../../../src/contracts/api/plan.ts'
import type { Latency, MarkView, TrafficTotals, TrafficView } from '../../../src/contracts/traffic.ts'
import type { Command } from '../../../src/contracts/command.ts'
import type { ControllerApi, SubmitOptions } from '../../../src/controller/controller-api.ts'
import { VipswapError } from '../../../src/core/errors.ts'
import type { Certificate } from '../../../src/model/certificate.ts'
import type { HealthReported } from '../../../src/fabric/input.ts'
import type { Slot } from '../../../src/model/slot.ts'
import { bucketOf } from '../../../src/core/histogram.ts'
import { emptyRow, NO_ANSWERS } from '../../../src/model/ledger-row.ts'
import { DEFAULT_UPGRADE_POLICY } from '../../../src/model/upgrade-policy.ts'

const AT = '2026-01-02T03:04:05.000Z'
const allowed = { allowed: true }
const ACTIONS = {
  swap: allowed,
  upgrade: allowed,
  walk: allowed,
  rollback: allowed,
  scale: allowed,
  suspend: allowed,
  start: allowed,
  delete: allowed,
}

/** A whole controller in memory that decides little: operations run until a test ends them. Records every command. */
export class FakeController implements ControllerApi {
  readonly reports: HealthReported[] = []
  readonly commands: { command: Command; idempotencyKey?: string; by?: string }[] = []
  /** Of the newest command. */
  certificates: readonly Certificate[] = []
  readonly planned: Command[] = []
  readonly uploads: { kind: string; bytes: number; digest: string }[] = []
  readonly logSignals: AbortSignal[] = []
  subscribers = 0
  /** The next submit is refused with this. */
  refusal: VipswapError | null = null
  /** Packages are refused with this. */
  packageRefusal: VipswapError | null = null
  /** Operations end at once, this way; null leaves them running. */
  ending: OperationView['status'] | null = null
  plans: PlanView = { outcome: 'changes', blockers: [], warnings: [], steps: ['exchange the slots'] }
  isReady = { ready: true, reason: 'all well' }
  addresses = new Map<string, { host: string; port: number }>()
  logPieces: string[] = ['one\n', 'two\n']
  logError: VipswapError | null = null
  readonly marked: MarkView[] = []

  readonly #services = new Map<string, ServiceView>()
  readonly #operations = new Map<string, OperationView>()
  readonly #keys = new Map<string, string>()
  readonly #waiting = new Set<() => void>()
  readonly #listeners = new Set<(event: EventView) => void>()
  readonly #events: EventView[] = []
  /** What the next feed says of itself. */
  timeline = 'fake'
  missed = 0

  addService(
    name: string,
    versions: { production?: string; staging?: string } = { production: '1.0.0' },
    digest = 'ab'.repeat(32),
  ): void {
    const slot = (which: Slot): DeploymentView | null => {
      const version = versions[which]
      return version === undefined ? null : { ...deployment(name, which, version), package: digest }
    }
    this.#services.set(name, {
      name,
      slots: { production: slot('production'), staging: slot('staging') },
      vips: (['production', 'staging'] as const).map((which, index) => ({
        slot: which,
        role: 'web',
        endpoint: 'http',
        protocol: 'http',
        host: '127.0.0.1',
        port: 8080 + index,
        url: `http://127.0.0.1:${8080 + index}`,
        hostName: which === 'production' ? `${name}.localhost` : `staging.${name}.localhost`,
        error: null,
        paused: null,
      })),
      operation: null,
      prepared: null,
    })
  }

  /** Who waits for anything now. */
  get waiters(): number {
    return this.#waiting.size
  }

  removeService(name: string): void {
    this.#services.delete(name)
    for (const wake of this.#waiting) wake()
  }

  /** Another version in a slot, as after an upgrade; wakes who waits. */
  change(service: string, which: Slot, change: Partial<DeploymentView>): void {
    const view = this.#services.get(service)
    const before = view?.slots[which]
    if (view === undefined || before == null) throw new Error(`nothing in ${which} of ${service}`)
    this.#services.set(service, { ...view, slots: { ...view.slots, [which]: { ...before, ...change } } })
    for (const wake of this.#waiting) wake()
  }

  note(message: string, service?: string): EventView {
    return this.emit('note', service, message)
  }

  emit(kind: string, service: string | undefined, message: string): EventView {
    const event = {
      seq: this.#events.length + 1,
      at: AT,
      kind,
      message,
      ...(service === undefined ? {} : { service }),
    }
    this.#events.push(event)
    for (const listener of this.#listeners) listener(event)
    return event
  }

  /** A service as it was added. */
  plain(name: string): ServiceView | null {
    return this.#services.get(name) ?? null
  }

  /** Changes an operation, and wakes who waits for it. */
  update(id: string, change: Partial<OperationView>): void {
    const operation = this.#operations.get(id)
    if (operation === undefined) throw new Error(`no operation ${id}`)
    const ended = change.status !== undefined && change.status !== 'InProgress' ? { endedAt: AT } : {}
    this.#operations.set(id, { ...operation, ...change, ...ended })
    for (const wake of this.#waiting) wake()
  }

  services = (): readonly ServiceView[] => [...this.#services.values()]
  service = (name: string): ServiceView | null => this.plain(name)
  deployment = (service: string, slot: Slot): DeploymentView | null => this.service(service)?.slots[slot] ?? null
  health: ControllerApi['health'] = (service, slot) => (this.deployment(service, slot) === null ? null : HEALTH)
  reportHealth: ControllerApi['reportHealth'] = async report => {
    this.reports.push(report)
    const { refusal } = this
    this.refusal = null
    if (refusal !== null) throw refusal
    return { ...HEALTH, state: report.report.state }
  }
  operations: ControllerApi['operations'] = ({ service, status, limit = Infinity }) =>
    [...this.#operations.values()]
      .toReversed()
      .filter(
        each => (service === undefined || each.service === service) && (status === undefined || each.status === status),
      )
      .slice(0, limit)
  operation = (id: string): OperationView | null => this.#operations.get(id) ?? null
  nodes: ControllerApi['nodes'] = () => [
    {
      name: 'node-0',
      status: 'online',
      use: 'open',
      upgradeDomain: null,
      confines: ['no-new-privileges'],
      faultDomain: 0,
      instances: 2,
      host: '127.0.0.1',
    },
  ]
  ready: ControllerApi['ready'] = () => this.isReady
  traffic: ControllerApi['traffic'] = async (service, since) => {
    if (since !== null && !this.marked.some(({ mark }) => mark === since))
      throw new VipswapError('mark_not_found', `no mark ${since}`)
    return { ...TRAFFIC, service, mark: since }
  }
  mark: ControllerApi['mark'] = async (_service, label) => {
    const mark = { mark: `m-${this.marked.length + 1}`, at: AT, label }
    this.marked.push(mark)
    return mark
  }
  marks: ControllerApi['marks'] = () => this.marked
  trafficSeries: ControllerApi['trafficSeries'] = (service, seconds, after) => ({
    service,
    stepMs: 1000,
    points: [1, 2, 3]
      .map(seq => ({ at: AT, seq, rows: [] }))
      .slice(-seconds)
      .filter(({ seq }) => seq > after),
  })
  metrics: ControllerApi['metrics'] = async () => 'vipswap_up 1\n'
  recovery: ControllerApi['recovery'] = () => null
  acceptRecovery: ControllerApi['acceptRecovery'] = async () => null
  gc: ControllerApi['gc'] = async () => ({ removed: ['ab'.repeat(32)] })

  receipt = (id: string): ReceiptView | null => {
    const operation = this.operation(id)
    if (operation === null || operation.status === 'InProgress') return null
    const totals = { arrived: 10, answered: 10, refused: 0, clientGone: 0, held: 1, heldMaxMs: 3, replayed: 0, open: 0 }
    return {
      operation,
      by: operation.by,
      from: { production: '1.0.0' },
      to: { production: '1.5.0' },
      complete: true,
      note: null,
      remarks: [],
      traffic: [
        { ...emptyRow('guestbook/production/web/http', 'd1', '1.0.0'), arrived: 6, answered: 6, held: 1, open: 0 },
        {
          ...emptyRow('guestbook/production/web/http', 'd2', '1.5.0'),
          arrived: 4,
          answered: 4,
          answers: {
            ...NO_ANSWERS,
            statuses: [0, 4, 0, 0, 0],
            duration: { sumUs: 4000, buckets: [bucketOf(1), 4] },
          },
          open: 0,
        },
      ],
      totals: { ...totals, broken: 0, brokenBy: {} },
      latency: {
        before: { '1.0.0': latency(2) },
        during: { '1.0.0': latency(3), '1.5.0': latency(1) },
        after: { '1.5.0': latency(1.5) },
      },
      drained: { connections: 7, tunnels: 2 },
      domains: [
        {
          domain: 0,
          startedAt: AT,
          arrivedAt: '2026-01-02T03:04:06.500Z',
          endedAt: '2026-01-02T03:04:16.500Z',
          instances: 2,
        },
        { domain: 1, startedAt: '2026-01-02T03:04:16.500Z', arrivedAt: null, endedAt: null, instances: 1 },
      ],
      switchMs: 4.2,
    }
  }

  async addPackage(stream: Readable, kind: 'gzip' | 'zip') {
    const { packageRefusal } = this
    const hash = createHash('sha256')
    let bytes = 0
    for await (const chunk of stream) {
      hash.update(chunk as Buffer)
      bytes += (chunk as Buffer).length
    }
    if (packageRefusal !== null) throw packageRefusal
    if (bytes === 3) throw new VipswapError('invalid_package', 'this is no package')
    const digest = hash.digest('hex')
    const created = !this.uploads.some(each => each.digest === digest)
    this.uploads.push({ kind, bytes, digest })
    return { created, digest, name: 'guestbook', version: '1.0.0', warnings: [] }
  }

  async submit(command: Command, { idempotencyKey, certificates = [], by, check }: SubmitOptions) {
    this.certificates = certificates
    const before = idempotencyKey === undefined ? undefined : this.#keys.get(idempotencyKey)
    if (before === undefined) check?.(this)
    this.commands.push({
      command,
      ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
      ...(by === undefined ? {} : { by }),
    })
    if (before !== undefined) return { operationId: before }
    const { refusal } = this
    this.refusal = null
    if (refusal !== null) throw refusal
    if ('service' in command && command.kind !== 'create' && !this.#services.has(command.service)) {
      const known = [...this.#services.keys()].join(', ')
      throw new VipswapError('service_not_found', `there is no service "${command.service}"; there are: ${known}`)
    }
    const id = `op-${this.#operations.size + 1}`
    if (idempotencyKey !== undefined) this.#keys.set(idempotencyKey, id)
    this.#operations.set(id, {
      id,
      kind: command.kind === 'swap' || command.kind === 'upgrade' || command.kind === 'create' ? command.kind : 'scale',
      service: 'service' in command ? command.service : '',
      ...('slot' in command ? { slot: command.slot } : {}),
      status: 'InProgress',
      by: by ?? null,
      startedAt: AT,
      progress: { step: 'preparing', percent: 10, message: 'waits for the test' },
    })
    if (command.kind === 'create' && this.service(command.service) === null)
      this.addService(command.service, undefined, command.package)
    if (this.ending !== null) this.update(id, { status: this.ending })
    return { operationId: id }
  }

  plan: ControllerApi['plan'] = async command => {
    this.planned.push(command)
    return this.plans
  }

  async waitOperation(id: string, timeoutMs: number, signal?: AbortSignal): Promise<OperationView> {
    const deadline = performance.now() + timeoutMs
    for (;;) {
      const operation = this.operation(id)
      if (operation === null) throw new VipswapError('operation_not_found', `no operation ${id}`)
      const rest = deadline - performance.now()
      if (operation.status !== 'InProgress' || rest <= 0 || signal?.aborted === true) return operation
      await new Promise<void>(resolve => {
        const wake = (): void => {
          clearTimeout(timer)
          this.#waiting.delete(wake)
          resolve()
        }
        const timer = setTimeout(wake, rest)
        this.#waiting.add(wake)
        signal?.addEventListener('abort', wake, { once: true })
      })
    }
  }

  changed: ControllerApi['changed'] = async signal => {
    if (signal.aborted) return
    await new Promise<void>(resolve => {
      const wake = (): void => {
        this.#waiting.delete(wake)
        resolve()
      }
      this.#waiting.add(wake)
      signal.addEventListener('abort', wake, { once: true })
    })
  }

  events: ControllerApi['events'] = after => ({
    timeline: this.timeline,
    missed: this.missed,
    history: this.#events.filter(each => each.seq > after),
    subscribe: listener => {
      this.#listeners.add(listener)
      this.subscribers += 1
      return () => {
        if (this.#listeners.delete(listener)) this.subscribers -= 1
      }
    },
  })

  async *logs(
    _service: string,
    _slot: Slot,
    _instance: string,
    { follow, signal }: { tail: number; follow: boolean; signal: AbortSignal },
  ): AsyncGenerator<string> {
    this.logSignals.push(signal)
    if (this.logError !== null) throw this.logError
    yield* this.logPieces
    if (!follow || signal.aborted) return
    await new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }))
  }

  instanceAddress: ControllerApi['instanceAddress'] = (service, slot, instance, endpoint = 'http') =>
    this.addresses.get(`${service}/${slot}/${instance}/${endpoint}`) ?? null
}

const latency = (ms: number): Latency => ({
  count: 10,
  meanMs: ms,
  p50Ms: ms,
  p90Ms: 2 * ms,
  p99Ms: 5 * ms,
  p999Ms: 10 * ms,
})
const COUNTS: TrafficTotals = {
  arrived: 100,
  answered: 97,
  refused: 0,
  clientGone: 1,
  held: 5,
  heldMaxMs: 120,
  replayed: 1,
  open: 1,
  broken: 1,
  brokenBy: { timeout: 1 },
  statuses: { '1xx': 0, '2xx': 97, '3xx': 0, '4xx': 0, '5xx': 0 },
  own: { '1xx': 0, '2xx': 0, '3xx': 0, '4xx': 0, '5xx': 1 },
  bytesIn: 0,
  bytesOut: 9700,
  requestsPerSecond: 9.9,
  duration: { count: 97, meanMs: 2, p50Ms: 1.5, p90Ms: 3, p99Ms: 12, p999Ms: 15 },
  firstByte: null,
}
const TRAFFIC: TrafficView = {
  service: 'guestbook',
  since: AT,
  until: AT,
  seconds: 10,
  mark: null,
  next: 'm-next',
  complete: true,
  note: null,
  rows: [
    {
      vip: 'guestbook/production/web/http',
      slot: 'production',
      role: 'web',
      endpoint: 'http',
      deployment: 'd1',
      version: '1.0.0',
      ...COUNTS,
    },
  ],
  totals: COUNTS,
}

const HEALTH: HealthView = {
  deployment: 'dep-production',
  state: 'Warning',
  evaluations: [{ kind: 'Event', state: 'Warning', description: 'probe/latency: slow' }],
  reports: [],
  roles: [{ name: 'web', state: 'Ok', total: 2, unhealthy: 0, tolerated: 0, instances: [] }],
  upgradeDomains: [],
}

function deployment(service: string, slot: Slot, version: string): DeploymentView {
  const instance = (index: number): DeploymentView['instances'][number] => ({
    id: `web_IN_${index}`,
    role: 'web',
    version,
    status: 'ReadyRole',
    upgradeDomain: index,
    faultDomain: 0,
    node: 'node-0',
    routing: 'in',
    inFlight: 0,
    restarts: 0,
    pid: 1,
    detail: '',
    drained: false,
    localStorage: [],
  })
  return {
    id: `dep-${slot}`,
    service,
    slot,
    label: '',
    package: 'ab'.repeat(32),
    version,
    status: 'Running',
    createdAt: AT,
    upgradeDomainCount: 5,
    effectiveUpgradeDomainCount: 0,
    platform: { version: null, trustLevel: 'full' },
    locked: false,
    rollbackAllowed: false,
    policy: DEFAULT_UPGRADE_POLICY,
    actions: ACTIONS,
    roles: [],
    instances: [instance(0), instance(1)],
  }
}
