import t from 'tap'
import type { Command, UpgradeCommand } from '../../../src/contracts/command.ts'
import { Draft } from '../../../src/fabric/draft.ts'
import { coresInUse } from '../../../src/fabric/quota.ts'
import { endpoint, makeRelease, role } from '../../simulation/releases.ts'
import { viewDeployment } from '../../../src/controller/views/deployment-view.ts'
import { Lab } from './lab.ts'

// Azure: cores per subscription, counted by the size of each role instance, over all services and both slots.

const SIZES = {
  Small: { cores: 1, memoryBytes: 1 },
  Half: { cores: 0.5, memoryBytes: 1 },
  Large: { cores: 4, memoryBytes: 1 },
}
const of = (name: string, version: string, size: string | null, instances = 2, port = 8080) =>
  makeRelease(name, version, [role('web', { size, instances, endpoints: [endpoint('http', port)] })], {
    upgradeDomainCount: 2,
  })
const SMALL = of('shop', '1.0.0', 'Small')
const LARGE = of('shop', '2.0.0', 'Large')
const BLOG = of('blog', '1.0.0', 'Half', 2, 9090)
const PLAIN = of('plain', '1.0.0', null, 1, 9190)

const create = (release: typeof SMALL, slot: 'production' | 'staging' = 'production', replace = false): Command => ({
  kind: 'create',
  service: release.definition.name,
  slot,
  package: release.digest,
  replace,
})
const upgrade: UpgradeCommand = {
  kind: 'upgrade',
  service: 'shop',
  slot: 'production',
  package: LARGE.digest,
  mode: 'auto',
  force: true,
  restartUnchanged: false,
  overlap: false,
}
const scale = (instances: number): Command => ({
  kind: 'configure',
  service: 'shop',
  slot: 'production',
  configuration: { roles: { web: { instances } } },
})

function fabric(cores: number): Lab {
  const lab = new Lab([SMALL, LARGE, BLOG, PLAIN])
  Object.assign(lab.settings, { sizes: SIZES, quota: { cores } })
  lab.restart()
  for (const node of ['n1', 'n2']) lab.connectAgent(node)
  return lab
}

const used = (lab: Lab): number => coresInUse(new Draft(lab.state, lab.now))

t.test('cores are counted by size over all services and both slots', async t => {
  const lab = fabric(100)
  for (const command of [create(SMALL), create(SMALL, 'staging'), create(BLOG), create(PLAIN)]) {
    lab.accept(command)
    lab.settle()
  }
  t.equal(used(lab), 2 + 2 + 1 + 1)
})

const REFUSED: { name: string; quota: number; command: Command; figures: RegExp }[] = [
  {
    name: 'create',
    quota: 3,
    command: create(SMALL, 'staging'),
    figures: /2 cores more .* 2 of the quota of 3 .* 1 are free/,
  },
  {
    name: 'upgrade to a larger size',
    quota: 7,
    command: upgrade,
    figures: /6 cores more .* 2 of the quota of 7 .* 5 are free/,
  },
  { name: 'scale', quota: 3.5, command: scale(4), figures: /2 cores more .* 2 of the quota of 3.5 .* 1.5 are free/ },
  {
    name: 'upgrade with more instances',
    quota: 8,
    command: { ...upgrade, configuration: { roles: { web: { instances: 3 } } } },
    figures: /10 cores more .* 2 of the quota of 8/,
  },
]

for (const { name, quota, command, figures } of REFUSED) {
  t.test(`more than the quota is refused with figures: ${name}`, async t => {
    const lab = fabric(quota)
    lab.accept(create(SMALL))
    lab.settle()
    t.match(lab.refusal(command), { code: 'quota_exceeded', message: figures })
  })
}

t.test('what goes frees its cores, exactly the quota is allowed', async t => {
  const lab = fabric(2)
  lab.accept(create(SMALL))
  lab.settle()
  lab.accept(create(SMALL, 'production', true))
  lab.settle()
  t.equal(used(lab), 2)
  lab.accept(scale(1))
  lab.accept(create(PLAIN))
  lab.settle()
  t.strictSame(lab.refused(scale(2)), ['quota_exceeded'], 'another service took what was free')
})

t.test('a suspended deployment keeps its cores, and a quota lowered below what is used stops only growth', async t => {
  const lab = fabric(4)
  lab.accept(create(SMALL))
  lab.settle()
  lab.accept({ kind: 'status', service: 'shop', slot: 'production', status: 'Suspended' })
  lab.settle()
  t.equal(used(lab), 2)
  lab.accept({ kind: 'status', service: 'shop', slot: 'production', status: 'Running' })
  lab.settle()
  lab.settings.quota = { cores: 1 }
  lab.restart()
  lab.settle()
  t.strictSame(lab.refused(scale(3)), ['quota_exceeded'])
  lab.accept(scale(1))
})

t.test('while a size is walked the larger one counts, also on the way back', async t => {
  const lab = fabric(8)
  lab.accept(create(SMALL))
  lab.settle()
  lab.seen = ({ spec, index }) => (spec.version === '2.0.0' && index === 1 ? { state: 'starting' } : {})
  lab.accept(upgrade)
  t.equal(used(lab), 8)
  lab.settle()
  t.strictSame(lab.refused(create(PLAIN)), ['quota_exceeded'])
  lab.accept({ kind: 'rollback', service: 'shop', slot: 'production' })
  lab.settle()
  t.equal(used(lab), 2)
  lab.accept(create(PLAIN))
})

// "… the rollback is not possible … if the quota is exceeded after a scale-down": the cores that it freed may be taken.
t.test(
  'no rollback of a scale-down, by itself or in an upgrade, while others have the cores; known before anyone asks',
  async t => {
    const four = of('shop', '1.0.0', 'Small', 4)
    const one = of('shop', '2.0.0', 'Small', 1)
    const large = of('shop', '1.0.0', 'Large', 4)
    const down: { before: typeof four; command: Command; quota: number }[] = [
      { before: four, command: scale(1), quota: 4 },
      { before: four, command: { ...upgrade, package: one.digest }, quota: 4 },
      // What comes back has the size it had.
      { before: large, command: { ...upgrade, package: one.digest }, quota: 16 },
    ]
    for (const { before, command, quota } of down) {
      const lab = new Lab([before, one, BLOG])
      Object.assign(lab.settings, { sizes: SIZES, quota: { cores: quota } })
      lab.restart()
      for (const node of ['n1', 'n2']) lab.connectAgent(node)
      lab.connectProxy('p1')
      lab.accept(create(before))
      lab.settle()
      t.strictSame(lab.refused(create(BLOG)), ['quota_exceeded'])
      lab.accept(command)
      // One node is silent in the end: what is on the other has gone, and nothing is over yet.
      for (let turn = 0; lab.instances().length > 3 && turn < 60; turn++) {
        lab.acknowledge()
        lab.report(lab.instances().some(({ next }) => next === 'remove') ? ['n1'] : undefined)
      }
      t.ok(lab.instances().some(({ next }) => next === 'remove'))
      const view = () => viewDeployment(lab.state, lab.deployment(), 'production', lab.now)
      t.equal(view().rollbackAllowed, true)
      lab.accept(create(BLOG))
      t.match(view(), {
        rollbackAllowed: false,
        rollbackBlockedBy: `would come back need ${quota + 1} cores in all, the quota is ${quota}`,
      })
      t.match(view().actions.rollback, { allowed: false, code: 'rollback_not_allowed' })
      t.strictSame(lab.refused({ kind: 'rollback', service: 'shop', slot: 'production' }), ['rollback_not_allowed'])
      Object.assign(lab.settings, { quota: { cores: quota + 1 } })
      lab.restart()
      for (const node of ['n1', 'n2']) lab.connectAgent(node)
      lab.connectProxy('p1')
      t.equal(view().rollbackAllowed, true)
      lab.accept({ kind: 'rollback', service: 'shop', slot: 'production' })
      lab.settle()
      t.equal(lab.instances().length, 4)
    }
  },
)
