import type { Command } from '../../src/contracts/command.ts'
import type { HealthReported } from '../../src/fabric/input.ts'
import type { DeploymentRecord, FabricState, ServiceRecord } from '../../src/fabric/state.ts'
import type { Slot } from '../../src/model/slot.ts'
import { UPGRADE_MODES } from '../../src/model/states.ts'
import type { UpgradePolicySource } from '../../src/model/upgrade-policy-schema.ts'
import { CERTIFICATES, VERSIONS } from './catalogue.ts'
import type { Prng } from './prng.ts'
import { digest } from './releases.ts'

/** What an operator has before their eyes. */
export interface View {
  readonly dice: Prng
  readonly state: FabricState
  readonly service: 'shop' | 'blog'
  readonly slot: Slot
  readonly record: ServiceRecord | undefined
  readonly deployment: DeploymentRecord | undefined
  readonly walks: boolean
}

interface Verb {
  /** How often it comes to mind. */
  readonly weight: number
  /** Does it make sense now? Now and then it is asked for all the same: being refused is normal. */
  readonly fits: (view: View) => boolean
  readonly make: (view: View) => Command | HealthReported
}

const verb = (weight: number, fits: Verb['fits'], make: Verb['make']): Verb => ({ weight, fits, make })
const always = (): boolean => true
const empty = ({ deployment }: View): boolean => deployment === undefined
const there = ({ deployment }: View): boolean => deployment !== undefined
const walks = ({ walks: walking }: View): boolean => walking
const prepared = ({ record }: View): boolean => record?.prepared != null
const at = ({ service, slot }: View): { service: string; slot: Slot } => ({ service, slot })

/** Everything that can be asked of a fabric, any time, in any state. */
export const VERBS: Readonly<Record<string, Verb>> = {
  create: verb(30, empty, v => ({ kind: 'create', ...at(v), package: release(v), replace: v.dice.chance(0.2) })),
  replace: verb(4, there, v => ({ kind: 'create', ...at(v), package: release(v), replace: true })),
  delete: verb(3, there, v => ({ kind: 'delete', ...at(v) })),
  deleteService: verb(1, empty, v => ({ kind: 'deleteService', service: v.service })),
  swap: verb(7, there, v => ({ kind: 'swap', service: v.service, verify: v.dice.chance(0.2), ...expectation(v) })),
  prepare: verb(2, there, v => ({ kind: 'swap', service: v.service, phase: 'prepare' })),
  commit: verb(20, prepared, v => ({ kind: 'swap', service: v.service, phase: 'commit' })),
  cancel: verb(12, prepared, v => ({ kind: 'swap', service: v.service, phase: 'cancel' })),
  upgrade: verb(14, there, upgrade),
  'change mode': verb(5, walks, v => ({ kind: 'changeUpgrade', ...at(v), mode: v.dice.pick(UPGRADE_MODES) })),
  'change policy': verb(4, walks, v => ({ kind: 'changeUpgrade', ...at(v), policy: policy(v) })),
  walk: verb(12, walks, v => ({ kind: 'walk', ...at(v) })),
  'walk domain': verb(2, walks, v => ({ kind: 'walk', ...at(v), domain: v.dice.between(0, 3) })),
  rollback: verb(9, walks, v => ({ kind: 'rollback', ...at(v), mode: v.dice.chance(0.7) ? 'auto' : 'manual' })),
  scale: verb(4, there, v => configure(v, { web: { instances: v.dice.between(0, 6) } })),
  settings: verb(3, there, v => configure(v, { web: { settings: { colour: v.dice.pick(['red', 'green', 'blue']) } } })),
  reload: verb(2, there, v => configure(v, { crunch: { settings: { depth: v.dice.pick(['1', '2']) } } })),
  certificate: verb(1, there, v =>
    configure(v, { web: { certificates: { site: { id: v.dice.pick(CERTIFICATES).id } } } }),
  ),
  suspend: verb(3, there, v => ({ kind: 'status', ...at(v), status: 'Suspended' })),
  start: verb(3, there, v => ({ kind: 'status', ...at(v), status: 'Running' })),
  reboot: verb(4, there, v => ({ kind: 'reboot', ...at(v), instance: instance(v) })),
  reimage: verb(3, there, v => ({ kind: 'reimage', ...at(v), instance: instance(v) })),
  drain: verb(2, there, v => ({ kind: 'drain', ...at(v), instance: instance(v) })),
  undrain: verb(2, there, v => ({ kind: 'undrain', ...at(v), instance: instance(v) })),
  'drain node': verb(2, always, v => ({ kind: 'drainNode', node: node(v) })),
  'undrain node': verb(2, always, v => ({ kind: 'undrainNode', node: node(v) })),
  force: verb(3, isBusy, v => ({ kind: 'force', operation: operation(v) })),
  pause: verb(1, there, v => ({ kind: 'pause', ...at(v), timeoutMs: v.dice.between(1, 20) * 1000 })),
  resume: verb(1, there, v => ({ kind: 'resume', ...at(v) })),
  'report health': verb(4, there, health),
}

export function viewOf(dice: Prng, state: FabricState): View {
  const service = dice.chance(0.75) ? 'shop' : 'blog'
  const slot = dice.chance(0.6) ? 'production' : 'staging'
  const record = state.services[service]
  const deployment = state.deployments[record?.slots[slot] ?? '']
  return { dice, state, service, slot, record, deployment, walks: deployment?.upgrade != null }
}

/** What comes to an operator's mind: mostly what fits. */
export function choose(view: View): { name: string; asked: Command | HealthReported } {
  const sensible = view.dice.chance(0.93)
  const candidates = Object.entries(VERBS).filter(([, { fits }]) => !sensible || fits(view))
  let roll = view.dice.next() * candidates.reduce((sum, [, { weight }]) => sum + weight, 0)
  const [name, { make }] = candidates.find(([, { weight }]) => (roll -= weight) < 0) ?? view.dice.pick(candidates)
  return { name, asked: make(view) }
}

function release({ dice, service }: View): string {
  return digest(`${service}@${dice.pick(VERSIONS[service])}`)
}

function expectation({ dice, record }: View): { expect?: { production: string | null; staging: string | null } } {
  if (dice.chance(0.5)) return {}
  const staging = dice.chance(0.8) ? (record?.slots.staging ?? null) : 'd0'
  return { expect: { production: record?.slots.production ?? null, staging } }
}

function upgrade(view: View): Command {
  const { dice, service } = view
  return {
    kind: 'upgrade',
    ...at(view),
    package: release(view),
    mode: dice.pick(UPGRADE_MODES),
    force: dice.chance(0.8),
    overlap: dice.chance(0.1),
    restartUnchanged: dice.chance(0.2),
    verify: dice.chance(0.15),
    policy: policy(view),
    ...(dice.chance(0.1) ? { allowRoleChanges: false } : {}),
    ...(dice.chance(0.2) ? { configuration: { roles: { web: { instances: dice.between(0, 6) } } } } : {}),
    ...(service === 'shop' && dice.chance(0.2) ? { role: dice.pick(['web', 'crunch']) } : {}),
  }
}

/** Any clocks; nothing unready is tolerated, as the rule on health gates asks. */
function policy({ dice }: View): UpgradePolicySource {
  return {
    failureAction: dice.pick(['rollback', 'manual']),
    healthCheckStableDuration: dice.pick(['0s', '3s', '10s']),
    healthCheckRetryTimeout: dice.pick(['0s', '5s', '20s']),
    healthCheckWaitDuration: dice.pick(['0s', '0s', '2s']),
    healthCheckInterval: dice.pick(['500ms', '1s', '5s']),
    upgradeDomainTimeout: dice.pick(['none', '30s', '120s']),
    upgradeTimeout: dice.pick(['none', '120s', '300s']),
    considerWarningAsError: dice.chance(0.2),
    maxPercentUnhealthy: 0,
    minReadyPercent: 100,
    onStartTimeout: 'unhealthy',
    baseline: false,
    ...(dice.chance(0.5) ? { gates: { minRequests: 1, maxErrorPercent: 10, maxP99Ratio: 2 } } : {}),
  }
}

function configure(view: View, roles: Extract<Command, { kind: 'configure' }>['configuration']['roles']): Command {
  const mode = view.dice.chance(0.3) ? { mode: view.dice.pick(UPGRADE_MODES) } : {}
  return { kind: 'configure', ...at(view), configuration: { roles }, ...mode }
}

function instance({ dice }: View): string {
  return `${dice.chance(0.8) ? 'web' : 'crunch'}_IN_${dice.between(0, 4)}`
}

function node({ dice, state }: View): string {
  return dice.pick([...Object.keys(state.nodes), 'nowhere'])
}

function isBusy({ state }: View): boolean {
  return Object.values(state.operations).some(({ status }) => status === 'InProgress')
}

function operation({ dice, state }: View): string {
  const busy = Object.values(state.operations).filter(({ status }) => status === 'InProgress')
  return dice.pick([...busy.map(({ id }) => id), ...(busy.length === 0 ? ['op-0'] : [])])
}

/** Gone again after a while, so that nothing is unhealthy for ever. */
function health(view: View): HealthReported {
  const { dice } = view
  return {
    kind: 'health-reported',
    ...at(view),
    ...(dice.chance(0.5) ? { instance: instance(view) } : {}),
    report: {
      source: dice.pick(['watchdog', 'person']),
      property: 'wellbeing',
      state: dice.pick(['Ok', 'Ok', 'Warning', 'Error']),
      description: '',
      ttlMs: dice.pick([2000, 20_000]),
      removeWhenExpired: true,
      sequence: dice.chance(0.2) ? dice.between(0, 3) : null,
    },
  }
}
