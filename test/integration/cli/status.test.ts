import t from 'tap'
import pc from 'picocolors'
import type { DeploymentView } from '../../../src/contracts/api/deployment.ts'
import { domainGrid } from '../../../src/cli/print/grid.ts'
import { nextLines, slotTable } from '../../../src/cli/print/service.ts'
import { until } from '../../support/until.ts'
import { FakeController } from '../admin/fake-controller.ts'
import { fabric } from './rig.ts'

const PLAIN = pc.createColors(false)
const ESC = '\u001b['
const ESCAPES = new RegExp(`${ESC.replace('[', '\\[')}[0-9;?]*[A-Za-z]`, 'g')

function walking(): DeploymentView {
  const api = new FakeController()
  api.addService('shop')
  const base = api.deployment('shop', 'production')
  const [instance] = base?.instances ?? []
  if (base == null || instance === undefined) throw new Error('no deployment')
  const one = (index: number, over: Partial<typeof instance>): typeof instance => ({
    ...instance,
    id: `web_IN_${index}`,
    upgradeDomain: index % 3,
    ...over,
  })
  const role = { name: 'web', kind: 'web', version: '1.0.0', size: null, cores: 1, instances: 4, ready: 1 } as const
  return {
    ...base,
    roles: [{ ...role, endpoints: [], certificates: [] }],
    instances: [
      one(0, { version: '2.0.0' }),
      one(1, { version: '2.0.0', status: 'StartingRole', routing: 'out', detail: 'its probe: HTTP 503' }),
      one(2, { status: 'CyclingRole', routing: 'out', detail: 'exit status 3' }),
      one(3, { routing: 'out', drained: true }),
    ],
    upgradeStatus: {
      type: 'Auto',
      mode: 'monitored',
      direction: 'forward',
      fromVersion: '1.0.0',
      toVersion: '2.0.0',
      currentUpgradeDomain: 1,
      currentUpgradeDomainState: 'During',
      domains: [
        { domain: 0, state: 'done', waitingFor: null },
        { domain: 1, state: 'during', waitingFor: 'web_IN_1' },
        { domain: 2, state: 'pending', waitingFor: null },
      ],
      operationId: 'op-1',
      waitingFor: 'web_IN_1 to be ready',
      verified: [0],
      clocks: [],
    },
  }
}

t.test('the grid: a row for each role, a column for each domain, a cell for each instance', async t => {
  t.strictSame(domainGrid(walking(), PLAIN).split('\n'), [
    '     domain 0 ✓           domain 1 ▶  domain 2 ·',
    'web  ●0 2.0.0 (●3 1.0.0)  ◔1 2.0.0    ↻2 1.0.0',
    '● ReadyRole  ◔ StartingRole  ↻ CyclingRole',
  ])
})

t.test('colour comes on top of signs, and moves no column', async t => {
  const painted = domainGrid(walking(), pc.createColors(true))
  t.ok(painted.includes(`${ESC}31m↻2 1.0.0${ESC}39m`), 'trouble is red')
  t.equal(painted.replaceAll(ESCAPES, ''), domainGrid(walking(), PLAIN))
})

t.test('what waits for its operator is said below the slots, with the verb that ends it', t => {
  const api = new FakeController()
  api.addService('guestbook', { production: '1.0.0', staging: '2.0.0' })
  const service = api.service('guestbook')
  if (service === null) throw new Error('no service')
  const paused = { until: '2026-01-02T03:04:05.000Z' }
  const { upgradeStatus } = walking()
  if (upgradeStatus === undefined) throw new Error('no upgrade')
  const waiting = { ...walking(), upgradeStatus: { ...upgradeStatus, waitingFor: '`vipswap walk` of domain 1' } }
  const shown = {
    ...service,
    prepared: { operation: 'op-3' },
    vips: service.vips.map(vip => (vip.slot === 'staging' ? { ...vip, paused } : { ...vip, error: 'EADDRINUSE' })),
    slots: { production: waiting, staging: walking() },
  }
  t.strictSame(slotTable(shown).split('\n').slice(3), [
    'production web/http: EADDRINUSE',
    'staging web/http: paused until 2026-01-02T03:04:05.000Z (`vipswap resume --slot staging`)',
    'a swap is prepared (op-3): `vipswap swap commit` or `vipswap swap cancel`',
  ])
  t.strictSame(nextLines(shown), ['production waits for `vipswap walk` of domain 1'])
  t.end()
})

t.test('status -w redraws in place, at an event at once, and says when the controller is away', async t => {
  const { api, begin } = await fabric(t)
  const { terminal, ended } = begin(['status', '-w'], { redraws: true })
  await until('it is drawn', () => terminal.stdout.includes('staging.guestbook.localhost'))
  t.ok(terminal.stdout.startsWith(`${ESC}2J${ESC}?7l${ESC}H`))
  t.match(terminal.stdout, /H\d{4}-\d\d-\d\d [\d:]+ {2}\(Ctrl-C leaves\)/)
  t.equal(terminal.stdout.split('\u001b[2J').length, 2, 'the screen is cleared once')
  const before = terminal.stdout.length
  await until('events are listened to', () => api.subscribers > 0)
  api.addService('shop')
  const begun = performance.now()
  api.note('a service was added')
  await until('it is drawn again', () => terminal.stdout.length > before && terminal.stdout.includes('shop.localhost'))
  t.ok(performance.now() - begun < 900, 'before the next look at the counts')
  t.equal(terminal.stdout.slice(before).split('\u001b[2J').length, 1)
  terminal.interrupt()
  t.equal(await ended, 130)
  t.ok(terminal.stdout.endsWith('\u001b[?7h\n'), 'lines wrap again')
})

t.test('elsewhere each state is printed whole', async t => {
  const { begin } = await fabric(t)
  const { terminal, ended } = begin(['status', '-w'])
  await until('it is printed', () => terminal.stdout.includes('web_IN_1'))
  t.notMatch(terminal.stdout, ESCAPES)
  terminal.interrupt()
  t.equal(await ended, 130)
})
