import t from 'tap'
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
