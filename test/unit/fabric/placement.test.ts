import t from 'tap'
import { planOf } from '../../../src/controller/plan.ts'
import { viewDeployment } from '../../../src/controller/views/deployment-view.ts'
import { rehearse } from '../../../src/fabric/apply.ts'
import { makeRelease, role } from '../../simulation/releases.ts'
import { Lab } from './lab.ts'

function deployed(instances: number, domains: number, nodes: readonly string[]): Lab {
  const release = makeRelease('shop', '1.0.0', [role('web', { instances })], { upgradeDomainCount: domains })
  const lab = new Lab([release], nodes)
  lab.accept({ kind: 'create', service: 'shop', slot: 'production', package: release.digest, replace: false })
  return lab
}

function tally(values: readonly (string | number)[]): number[] {
  const counts = new Map<string | number, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return [...counts].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, count]) => count)
}

const DOMAINS = [
  { instances: 10, domains: 5, each: [2, 2, 2, 2, 2] },
  { instances: 14, domains: 5, each: [3, 3, 3, 3, 2] },
  { instances: 8, domains: 2, each: [4, 4] },
  { instances: 9, domains: 2, each: [5, 4] },
  { instances: 2, domains: 5, each: [1, 1] },
]

for (const { instances, domains, each } of DOMAINS) {
  t.test(`${instances} instances over ${domains} upgrade domains make ${each.join(', ')}`, async t => {
    const lab = deployed(instances, domains, ['n1', 'n2'])
    t.strictSame(tally(lab.instances().map(instance => instance.upgradeDomain)), each)
  })
}

t.test('instances spread over nodes evenly, and each upgrade domain over different ones', async t => {
  const lab = deployed(12, 4, ['n1', 'n2', 'n3'])
  t.strictSame(tally(lab.instances().map(instance => instance.node)), [4, 4, 4])
  for (const domain of [0, 1, 2, 3]) {
    const nodes = lab.instances().filter(instance => instance.upgradeDomain === domain)
    t.strictSame(tally(nodes.map(instance => instance.node)), [1, 1, 1], `domain ${domain}`)
  }
})

t.test('fault domains follow the nodes, two by turns where a node does not say its own', async t => {
  const lab = deployed(4, 2, ['n1', 'n2'])
  t.strictSame(tally(lab.instances().map(instance => instance.faultDomain)), [2, 2])
})

t.test('new instances go to nodes that are there', async t => {
  const release = makeRelease('shop', '1.0.0', [role('web', { instances: 4 })])
  const lab = new Lab([release], ['n1', 'n2'])
  lab.input({ kind: 'agent-disconnected', node: 'n1' })
  lab.accept({ kind: 'create', service: 'shop', slot: 'production', package: release.digest, replace: false })
  t.strictSame(tally(lab.instances().map(instance => instance.node)), [4])
})

// "How to update a cloud service": "If your service has two roles, one with 8 instances and one with 9 …"
t.test('8 web and 9 worker instances over 2 upgrade domains make 4 and 4, 5 and 4', async t => {
  const worker = role('worker', { kind: 'worker', endpoints: [], instances: 9 })
  const release = makeRelease('shop', '1.0.0', [role('web', { instances: 8 }), worker], { upgradeDomainCount: 2 })
  const lab = new Lab([release])
  lab.accept({ kind: 'create', service: 'shop', slot: 'production', package: release.digest, replace: false })
  const domains = (name: string): number[] =>
    tally(
      lab
        .instances()
        .filter(({ id }) => id.startsWith(name))
        .map(({ upgradeDomain }) => upgradeDomain),
    )
  t.strictSame(
    [domains('web'), domains('worker')],
    [
      [4, 4],
      [5, 4],
    ],
  )
})

for (const { nodes, instances, domains } of [
  { nodes: 2, instances: 2, domains: 2 },
  { nodes: 2, instances: 4, domains: 2 },
  { nodes: 3, instances: 3, domains: 5 },
  { nodes: 4, instances: 10, domains: 5 },
  { nodes: 5, instances: 14, domains: 5 },
]) {
  t.test(
    `of ${instances} on ${nodes} nodes in ${domains} domains no node and no domain holds a role alone`,
    async t => {
      const names = Array.from({ length: nodes }, (_, index) => `n${index}`)
      const placed = deployed(instances, domains, names).instances()
      for (const of of ['node', 'upgradeDomain', 'faultDomain'] as const) {
        t.ok(new Set(placed.map(instance => instance[of])).size > 1, of)
      }
    },
  )
}

// Service Fabric: upgrade domains are the nodes', declared in the cluster's manifest.
t.test('an instance has the domain that its node declares, and instances spread over those', async t => {
  const release = makeRelease('shop', '1.0.0', [role('web', { instances: 4 })])
  const lab = new Lab([release], [])
  for (const [node, upgradeDomain] of [
    ['n1', 7],
    ['n2', 7],
    ['n3', 3],
    ['n4', 3],
  ] as const)
    lab.connectAgent(node, { upgradeDomain })
  lab.accept({ kind: 'create', service: 'shop', slot: 'production', package: release.digest, replace: false })
  t.strictSame(
    lab.instances().map(({ upgradeDomain }) => upgradeDomain),
    [7, 3, 7, 3],
  )
})

t.test('a node that declares another domain takes its instances along, and not while they are walked', async t => {
  const made = ['1.0.0', '2.0.0'].map(version => makeRelease('shop', version, [role('web', { instances: 4 })]))
  const lab = new Lab(made)
  const about = { service: 'shop', slot: 'production' } as const
  lab.accept({ kind: 'create', ...about, package: made[0]?.digest ?? '', replace: false })
  lab.settle()
  const domains = (): string =>
    lab
      .instances()
      .map(({ upgradeDomain }) => upgradeDomain)
      .join(' ')
  t.equal(domains(), '0 1 2 3')
  lab.connectAgent('n1', { upgradeDomain: 5 })
  t.equal(domains(), '5 1 5 3')
  const flags = { force: false, restartUnchanged: false, overlap: false }
  lab.accept({ kind: 'upgrade', ...about, package: made[1]?.digest ?? '', mode: 'manual', ...flags })
  lab.settle()
  lab.connectAgent('n1', { upgradeDomain: 1 })
  t.equal(domains(), '5 1 5 3')
  for (let walk = 0; walk < 3; walk++) {
    lab.accept({ kind: 'walk', ...about })
    lab.settle()
  }
  t.equal(lab.versions(), '2.0.0 2.0.0 2.0.0 2.0.0')
  t.equal(domains(), '1 1 1 3')
})

t.test('a domain declared while a walk was prepared is taken over when that comes to nothing', async t => {
  const made = ['1.0.0', '2.0.0'].map(version => makeRelease('shop', version, [role('web', { instances: 2 })]))
  const [first = '', second = ''] = made.map(({ digest }) => digest)
  const lab = new Lab(made)
  const about = { service: 'shop', slot: 'production' } as const
  lab.accept({ kind: 'create', ...about, package: first, replace: false })
  lab.settle()
  const flags = { force: false, restartUnchanged: false, overlap: false }
  const operation = lab.accept({ kind: 'upgrade', ...about, package: second, mode: 'auto', ...flags })
  lab.connectAgent('n1', { upgradeDomain: 5 })
  lab.packageErrors[second] = 'no such file'
  lab.settle()
  t.match(lab.operation(operation), { status: 'Failed', error: { code: 'invalid_package' } })
  t.strictSame(
    lab.instances().map(({ upgradeDomain }) => upgradeDomain),
    [5, 1],
  )
})

// "Domains without affected instances are skipped, in manual too".
t.test('a walk has only the domains that hold an instance of a role that changes', async t => {
  const worker = role('worker', { kind: 'worker', endpoints: [], instances: 2 })
  const made = ['1.0.0', '2.0.0'].map(version =>
    makeRelease('shop', version, [role('web', { instances: 4 }), worker], { unchanged: { web: '1.0.0' } }),
  )
  const lab = new Lab(made)
  const about = { service: 'shop', slot: 'production' } as const
  lab.accept({ kind: 'create', ...about, package: made[0]?.digest ?? '', replace: false })
  lab.settle()
  const flags = { force: false, restartUnchanged: false, overlap: false }
  lab.accept({ kind: 'upgrade', ...about, package: made[1]?.digest ?? '', mode: 'manual', ...flags })
  lab.settle()
  const view = viewDeployment(lab.state, lab.deployment(), 'production', lab.now)
  t.match(view, { upgradeDomainCount: 5, effectiveUpgradeDomainCount: 4 })
  t.strictSame(
    view.upgradeStatus?.domains.map(({ domain, state }) => `${domain} ${state}`),
    ['0 pending', '1 pending', '2 skipped', '3 skipped'],
  )
  for (const domain of [0, 1]) {
    lab.accept({ kind: 'walk', ...about, domain })
    lab.settle()
  }
  t.equal(lab.deployment().upgrade, null)
})

// "Count 1 is allowed: the whole role at once … warned of in validate, plan and receipt as non-rolling without guarantee."
t.test('with one upgrade domain a role goes down as a whole, and plan and receipt say so', async t => {
  const made = ['1.0.0', '2.0.0'].map(version =>
    makeRelease('shop', version, [role('web', { instances: 3 })], { upgradeDomainCount: 1 }),
  )
  const lab = new Lab(made)
  const about = { service: 'shop', slot: 'production' } as const
  lab.accept({ kind: 'create', ...about, package: made[0]?.digest ?? '', replace: false })
  lab.settle()
  const flags = { force: false, restartUnchanged: false, overlap: false }
  const command = { kind: 'upgrade', ...about, package: made[1]?.digest ?? '', mode: 'auto', ...flags } as const
  const plan = planOf(lab.state, command, rehearse(lab.state, command, lab.now), lab.now)
  t.match(plan.warnings, [/one upgrade domain.*not rolling.*no guarantee/])
  const operation = lab.accept(command)
  lab.report()
  t.equal(lab.stages(), 'web0:draining web1:draining web2:draining')
  lab.settle()
  t.match(lab.operation(operation), { status: 'Succeeded', remarks: [/one upgrade domain.*no guarantee/] })
})

t.test('without a node nothing is placed', async t => {
  const release = makeRelease('shop', '1.0.0')
  const lab = new Lab([release], [])
  const command = {
    kind: 'create',
    service: 'shop',
    slot: 'production',
    package: release.digest,
    replace: false,
  } as const
  t.strictSame(lab.refused(command), ['no_nodes'])
})
