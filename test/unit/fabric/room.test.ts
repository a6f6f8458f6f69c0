import t from 'tap'
import type { RoleDefinition } from '../../../src/model/definition.ts'
import { makeRelease, role } from '../../simulation/releases.ts'
import { Lab } from './lab.ts'

// "Before the first domain is touched the whole ground is prepared: quota, node capacity and ports reserved …; if that fails
// nothing was stopped."

const SHOP = { service: 'shop', slot: 'production' } as const
const FLAGS = { force: false, restartUnchanged: false, overlap: false } as const
const SIZES = { small: { cores: 1, memoryBytes: 100 }, large: { cores: 2, memoryBytes: 100 } }

function create(web: Partial<RoleDefinition>, next: Partial<RoleDefinition> = web) {
  const made = [
    makeRelease('shop', '1.0.0', [role('web', web)]),
    makeRelease('shop', '2.0.0', [role('web', { ...web, ...next })]),
  ]
  const lab = new Lab([], [])
  lab.settings.sizes = SIZES
  lab.input({ kind: 'restored', settings: lab.settings })
  for (const release of made) lab.input({ kind: 'release-added', release })
  for (const node of ['n1', 'n2']) lab.connectAgent(node, { cores: 4, memoryBytes: 1000 })
  const [first = '', second = ''] = made.map(({ digest }) => digest)
  return {
    lab,
    deploy: { kind: 'create', ...SHOP, package: first, replace: false } as const,
    upgrade: { kind: 'upgrade', ...SHOP, package: second, mode: 'auto', ...FLAGS } as const,
  }
}

t.test('sized instances go where there is room, and none goes where there is none', async t => {
  const { lab, deploy } = create({ instances: 8, size: 'small' })
  lab.accept(deploy)
  lab.settle()
  const scale = (instances: number) =>
    ({ kind: 'configure', ...SHOP, configuration: { roles: { web: { instances } } } }) as const
  t.match(lab.refusal(scale(9)), { code: 'no_room', message: /one more instance of role web/ })
  lab.connectAgent('n3', { cores: 1, memoryBytes: 1000 })
  lab.accept(scale(9))
  t.equal(lab.instance('web_IN_8').node, 'n3')
})

t.test('roles without a size take nothing that is known', async t => {
  const { lab, deploy } = create({ instances: 50 })
  lab.accept(deploy)
  lab.settle()
  t.equal(lab.instances().filter(({ stage }) => stage === 'serving').length, 50)
})

t.test('an upgrade to a size that its nodes cannot hold is refused before anything stops', async t => {
  const { lab, deploy, upgrade } = create({ instances: 6, size: 'small' }, { size: 'large' })
  lab.accept(deploy)
  lab.settle()
  const refusal = lab.refusal({ ...upgrade, force: true })
  t.equal(refusal.code, 'no_room')
  t.match(refusal.message, /node n1 has 4 cores and would need 6/)
})

t.test('what a walk will need is kept for it, also where its processes stand beside others', async t => {
  const web = { instances: 3, size: 'small', order: 'start-first' } as const
  const { lab, deploy, upgrade } = create(web)
  lab.accept(deploy)
  lab.settle()
  lab.accept({ ...upgrade, mode: 'manual' })
  lab.settle()
  // 2 and 1 instances, and one more at a time on each node: 3 + 2 of 8 cores.
  const other = (instances: number) =>
    makeRelease('blog', `${instances}.0.0`, [role('web', { instances, size: 'small', endpoints: [] })])
  for (const count of [4, 3]) lab.input({ kind: 'release-added', release: other(count) })
  const blog = { kind: 'create', service: 'blog', slot: 'production', replace: false } as const
  t.strictSame(lab.refused({ ...blog, package: other(4).digest }), ['no_room'])
  lab.accept({ ...blog, package: other(3).digest })
})

t.test('a node’s share of ports is enough for what is there and its next start, or it is refused', async t => {
  const { lab, deploy } = create({ instances: 12 })
  lab.settings.portRange = { from: 20_000, to: 20_099 }
  lab.input({ kind: 'restored', settings: lab.settings })
  lab.report()
  t.match(lab.refusal(deploy), { code: 'no_room', message: /has 5 ports and would need 6/ })
})
