import t from 'tap'
import type { Command } from '../../../src/contracts/command.ts'
import type { PlanView } from '../../../src/contracts/api/plan.ts'
import { planOf } from '../../../src/controller/plan.ts'
import { rehearse } from '../../../src/fabric/apply.ts'
import { swapPreflight } from '../../../src/fabric/deployment/swap.ts'
import { Draft } from '../../../src/fabric/draft.ts'
import type { ServiceRecord } from '../../../src/fabric/state.ts'
import type { Slot } from '../../../src/model/slot.ts'
import type { Release } from '../../../src/model/release.ts'
import { endpoint, makeRelease, role } from '../../simulation/releases.ts'
import { Lab } from './lab.ts'

const two = [endpoint('http', 8080), endpoint('api', 8090)]
const V1 = makeRelease('shop', '1.0.0', [role('web', { endpoints: two })])
const V2 = makeRelease('shop', '2.0.0', [role('web', { endpoints: two })])
const FEWER = makeRelease('shop', '3.0.0')

const swap = { kind: 'swap', service: 'shop' } as const
const create = (release: Release, slot: Slot): Command => ({
  kind: 'create',
  service: 'shop',
  slot,
  package: release.digest,
  replace: false,
})

function both(staging = V2): Lab {
  const lab = new Lab([V1, V2, FEWER])
  lab.accept(create(V1, 'production'))
  lab.settle()
  lab.accept(create(staging, 'staging'))
  lab.settle()
  return lab
}

const leads = (lab: Lab): string[] =>
  lab
    .routing()
    .listeners.map(({ key, pool, port }) => `${key} ${port} ${pool}`)
    .toSorted()

t.test('a swap exchanges every address of both slots in one revision, and no instance is touched', async t => {
  const lab = both()
  const before = lab.state
  const operation = lab.accept(swap)
  t.equal(lab.state.fabric.revision.n, before.fabric.revision.n + 1)
  t.strictSame(leads(lab), [
    'shop/production/web/api 8090 d2/web/api',
    'shop/production/web/http 8080 d2/web/http',
    'shop/staging/web/api 8091 d1/web/api',
    'shop/staging/web/http 8081 d1/web/http',
  ])
  t.equal(lab.state.roles, before.roles)
  t.equal(lab.operation(operation).status, 'InProgress')
  lab.ms += 3
  lab.acknowledge()
  t.equal(lab.operation(operation).status, 'Succeeded')
  t.equal(lab.operation(operation).receipt?.switchMs, 3)
})

t.test('a swap with an empty production slot moves staging into it', async t => {
  const lab = new Lab([V1])
  lab.accept(create(V1, 'staging'))
  lab.settle()
  lab.accept(swap)
  lab.settle()
  t.strictSame(lab.state.services['shop']?.slots, { production: 'd1', staging: null })
})

const status = (word: 'Suspended' | 'Running', slot: Slot) =>
  ({ kind: 'status', service: 'shop', slot, status: word }) as const
const upgrade = {
  kind: 'upgrade',
  service: 'shop',
  slot: 'production',
  package: V2.digest,
  mode: 'manual',
  force: false,
  restartUnchanged: false,
  overlap: false,
} as const

const BLOCKED: { name: string; make: () => Lab; codes: string[] }[] = [
  {
    name: 'staging is empty',
    make: () => {
      const lab = new Lab([V1])
      lab.accept(create(V1, 'production'))
      lab.settle()
      return lab
    },
    codes: ['slot_empty'],
  },
  { name: 'the endpoints differ', make: () => both(FEWER), codes: ['endpoint_mismatch'] },
  {
    name: 'a side is suspended',
    make: () => {
      const lab = both()
      lab.accept(status('Suspended', 'production'))
      lab.settle()
      return lab
    },
    codes: ['not_running'],
  },
  {
    name: 'a side is being upgraded',
    make: () => {
      const lab = both()
      lab.accept(upgrade)
      lab.settle()
      return lab
    },
    codes: ['upgrade_in_progress'],
  },
  {
    name: 'a side is being changed otherwise',
    make: () => {
      const lab = both()
      lab.accept({ kind: 'reboot', service: 'shop', slot: 'staging', instance: 'web_IN_0' })
      return lab
    },
    codes: ['operation_in_progress'],
  },
  {
    name: 'nothing in staging is ready',
    make: () => {
      const lab = both()
      lab.seen = ({ deployment }) => (deployment === 'd2' ? { state: 'backoff' } : {})
      lab.settle()
      return lab
    },
    codes: ['not_ready'],
  },
  {
    name: 'several things are in the way',
    make: () => {
      const lab = both(FEWER)
      lab.accept(status('Suspended', 'staging'))
      lab.settle()
      return lab
    },
    codes: ['not_running', 'endpoint_mismatch', 'not_ready'],
  },
]

for (const { name, make, codes } of BLOCKED) {
  t.test(`a swap is refused while ${name}`, async t => {
    t.strictSame(make().refused(swap), codes)
  })
}

t.test('a role that callers reach and that has nothing ready blocks, even beside a worker that is ready', async t => {
  const roles = [role('web'), role('crunch', { kind: 'worker', endpoints: [] })]
  const [one, next] = [makeRelease('shop', '6.0.0', roles), makeRelease('shop', '7.0.0', roles)]
  const lab = new Lab([one, next])
  lab.accept(create(one, 'production'))
  lab.settle()
  lab.seen = ({ spec, role: name }) => (spec.version === '7.0.0' && name === 'web' ? { state: 'starting' } : {})
  lab.accept(create(next, 'staging'))
  lab.settle()
  t.ok(lab.refused(swap).includes('not_ready'))
  lab.seen = ({ spec, role: name, index }) =>
    spec.version === '7.0.0' && name === 'web' && index === 1 ? { state: 'starting' } : {}
  lab.settle()
  t.notOk(lab.refused(swap).includes('not_ready'))
})

t.test('health and capacity warn, and are told beside what blocks', async t => {
  const lab = both()
  lab.seen = ({ deployment, index }) => (deployment === 'd2' && index === 1 ? { state: 'backoff' } : {})
  lab.settle()
  const plan = (): PlanView => planOf(lab.state, swap, rehearse(lab.state, swap, lab.now), lab.now)
  t.match(plan(), {
    outcome: 'changes',
    blockers: [],
    warnings: [
      'role web: 1 of 2 instances of d2 are ready',
      /from 2 ready instances to 1; .*scale web=2 --slot staging/,
    ],
  })
  lab.accept(upgrade)
  lab.settle()
  t.match(plan(), { outcome: 'refused', blockers: [{ code: 'upgrade_in_progress' }], warnings: [/1 of 2/, /to 1/] })
})

t.test('what is reported of a candidate whose instances are all ready warns too', async t => {
  const lab = both()
  const report = {
    source: 'smoke-test',
    property: 'checkout',
    state: 'Error',
    description: 'no cart',
    ttlMs: null,
    removeWhenExpired: false,
    sequence: null,
  } as const
  lab.input({ kind: 'health-reported', service: 'shop', slot: 'production', report: { ...report, state: 'Warning' } })
  const warnings = (): readonly string[] =>
    planOf(lab.state, swap, rehearse(lab.state, swap, lab.now), lab.now).warnings
  t.strictSame(warnings(), [], 'of what is in production already nothing need be said')
  lab.input({ kind: 'health-reported', service: 'shop', slot: 'staging', report })
  t.match(warnings(), [/^the health of d2 in staging is Error: .*smoke-test\/checkout.*no cart/])
})

t.test('a swap that expects other deployments is refused', async t => {
  const lab = both()
  t.strictSame(lab.refused({ ...swap, expect: { production: 'd2', staging: 'd1' } }), ['expectation_failed'])
  lab.accept({ ...swap, expect: { production: 'd1', staging: 'd2' } })
})

t.test('a swap in two phases bars other changes between them', async t => {
  const lab = both()
  t.strictSame(lab.refused({ ...swap, phase: 'commit' }), ['nothing_to_do'])
  t.strictSame(lab.refused({ ...swap, phase: 'cancel' }), ['nothing_to_do'])
  lab.accept({ ...swap, phase: 'prepare' })
  const barred: Command[] = [
    swap,
    { ...swap, phase: 'prepare' },
    upgrade,
    status('Suspended', 'staging'),
    { kind: 'delete', service: 'shop', slot: 'staging' },
    { ...create(V2, 'staging'), kind: 'create', service: 'shop', slot: 'staging', package: V2.digest, replace: true },
  ]
  for (const command of barred) t.strictSame(lab.refused(command), ['operation_in_progress'], command.kind)
  lab.accept({ ...swap, phase: 'cancel' })
  lab.accept({ ...swap, phase: 'prepare' })
  lab.accept({ ...swap, phase: 'commit' })
  lab.settle()
  t.strictSame(lab.state.services['shop']?.slots, { production: 'd2', staging: 'd1' })
})

t.test('what an operator has drained answers nobody: a swap onto it is refused, also of a prepared one', async t => {
  const lab = both()
  const drain = (kind: 'drain' | 'undrain', instance: string): void => {
    lab.accept({ kind, service: 'shop', slot: 'staging', instance })
    lab.settle()
  }
  drain('drain', 'web_IN_0')
  const plan = rehearse(lab.state, swap, lab.now)
  t.ok('draft' in plan, 'one is left')
  const warnings = (): string[] => swapPreflight(new Draft(lab.state, lab.now), serviceOf(lab)).warnings
  t.match(warnings(), [/1 of 2 instances of d2 are ready \(1 drained\)/, /from 2 ready instances to 1/])
  lab.accept({ ...swap, phase: 'prepare' })
  lab.settle()
  drain('drain', 'web_IN_1')
  t.strictSame(lab.refused({ ...swap, phase: 'commit' }), ['not_ready'])
  lab.accept({ ...swap, phase: 'cancel' })
  lab.settle()
  t.match(lab.refusal(swap).message, /no instance of d2 in staging is in rotation/)
  drain('undrain', 'web_IN_1')
  lab.accept(swap)
})

function serviceOf(lab: Lab): ServiceRecord {
  const service = lab.state.services['shop']
  if (service === undefined) throw new Error('no shop')
  return service
}

t.test('a suspended deployment is not scaled, and its address answers without a pool', async t => {
  const lab = both()
  lab.accept(status('Suspended', 'production'))
  lab.settle()
  const configuration = { roles: { web: { instances: 3 } } }
  t.strictSame(lab.refused({ kind: 'configure', service: 'shop', slot: 'production', configuration }), ['not_running'])
  const [listener] = lab.routing().listeners
  t.match(listener, { pool: null, reason: 'the deployment is suspended' })
  lab.accept(status('Running', 'production'))
  lab.settle()
  t.equal(lab.stages(), 'web0:serving web1:serving')
  t.strictSame(lab.refused(status('Running', 'production')), ['nothing_to_do'])
})

t.test('the same key answers the same operation, and is refused for anything else', async t => {
  const lab = both()
  const operation = lab.accept(swap, 'k1')
  lab.settle()
  const { revision } = lab.state.fabric
  t.equal(lab.accept(swap, 'k1'), operation)
  t.equal(lab.state.fabric.revision, revision, 'nothing changed')
  t.strictSame(lab.refused({ ...swap, phase: 'prepare' }, 'k1'), ['idempotency_conflict'])
  lab.restart()
  t.equal(lab.accept(swap, 'k1'), operation, 'also of the next controller')
})

t.test('a swap that is asked to verify is refused rather than done without', async t => {
  const lab = both()
  const { slots } = lab.state.services['shop'] ?? {}
  t.strictSame(lab.refused({ ...swap, verify: true }), ['change_not_allowed'])
  t.strictSame(lab.state.services['shop']?.slots, slots)
})

t.test('an endpoint under another name on the same port deploys to the other slot, and is not swapped', async t => {
  const renamed = makeRelease('shop', '4.0.0', [role('web', { endpoints: [endpoint('main', 8080)] })])
  const plain = makeRelease('shop', '5.0.0')
  const lab = new Lab([plain, renamed])
  lab.accept(create(plain, 'production'))
  lab.settle()
  lab.accept(create(renamed, 'staging'))
  lab.settle()
  t.strictSame(leads(lab), ['shop/production/web/http 8080 d1/web/http', 'shop/staging/web/main 8081 d2/web/main'])
  t.strictSame(lab.refused(swap), ['endpoint_mismatch'])
})
