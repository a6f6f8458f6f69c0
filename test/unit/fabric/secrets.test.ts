import t from 'tap'
import { createSecrets } from '../../../src/controller/secrets.ts'
import { createLogger } from '../../../src/core/logger.ts'
import { SealKey } from '../../../src/core/seal-key.ts'
import { planOf } from '../../../src/controller/plan.ts'
import { rehearse } from '../../../src/fabric/apply.ts'
import { projectAssignments } from '../../../src/fabric/project-assignments.ts'
import type { Command } from '../../../src/contracts/command.ts'
import { makeRelease, role } from '../../simulation/releases.ts'
import { tempDir } from '../../support/temp.ts'
import { Lab } from './lab.ts'
import { create } from './task-lab.ts'

const key = new SealKey(Buffer.alloc(32, 7))
const web = role('web', { instances: 2, settings: { colour: 'red', password: '' }, secrets: ['password'] })
const V1 = makeRelease('shop', '1.0.0', [web], { upgradeDomainCount: 2 })
const PLAIN = makeRelease(
  'shop',
  '2.0.0',
  [role('web', { instances: 2, settings: { colour: 'red', password: 'p' } })],
  {
    upgradeDomainCount: 2,
  },
)

const withValue = (settings: Record<string, string>) => ({ configuration: { roles: { web: { settings } } } })
const sealed = (value: string) => withValue({ password: key.seal('password', value) })
const configure = (settings: Record<string, string>): Command => ({
  kind: 'configure',
  service: 'shop',
  slot: 'production',
  ...withValue(settings),
})

function deployed(): Lab {
  const lab = new Lab([V1, PLAIN])
  lab.accept({ ...create(V1, 'production'), ...sealed('hunter2') })
  lab.settle()
  return lab
}

t.test('a secret needs a value, and only a sealed one is taken', async t => {
  const lab = new Lab([V1])
  const without = lab.refusal(create(V1, 'production'))
  t.match(without, { code: 'invalid_configuration', message: /role web needs a value for its secret password/ })
  const open = lab.refusal({ ...create(V1, 'production'), ...withValue({ password: 'hunter2' }) })
  t.match(open, { code: 'invalid_configuration', message: /password is a secret there/ })
  t.notMatch(JSON.stringify(open), 'hunter2')
  t.match(
    lab.refusal({ ...create(V1, 'production'), ...withValue({ colour: key.seal('colour', 'x') }) }).message,
    /colour is no secret there/,
  )
  lab.accept({ ...create(V1, 'production'), ...sealed('hunter2') })
})

t.test(
  'the same value again is nothing to do; another walks the domains, and the plan names only the setting',
  async t => {
    const lab = deployed()
    t.strictSame(lab.refused(configure({ password: key.seal('password', 'hunter2') })), ['nothing_to_do'])
    const change = configure({ password: key.seal('password', 'swordfish') })
    const upgrade = {
      kind: 'upgrade',
      service: 'shop',
      slot: 'production',
      package: V1.digest,
      ...sealed('swordfish'),
    } as const
    const flags = { force: false, restartUnchanged: false, overlap: false }
    const command = { ...upgrade, ...flags }
    const plan = planOf(lab.state, command, rehearse(lab.state, command, lab.now), lab.now)
    t.match(JSON.stringify(plan), /settings password get other values/)
    t.notMatch(JSON.stringify(plan), /sealed:1/)
    const id = lab.accept(change)
    lab.settle()
    t.equal(lab.operation(id).status, 'Succeeded')
    t.strictSame(
      lab.instances('production').map(({ incarnation }) => incarnation),
      [2, 2],
    )
  },
)

t.test('a setting that is a secret no more needs a value of its own', async t => {
  const lab = deployed()
  const upgrade = { kind: 'upgrade', service: 'shop', slot: 'production', package: PLAIN.digest } as const
  const flags = { force: false, restartUnchanged: false, overlap: false }
  t.match(lab.refusal({ ...upgrade, ...flags }).message, /password was a secret and is none now/)
  lab.accept({ ...upgrade, ...flags, ...withValue({ password: 'public' }) })
})

t.test('values are sealed on their way in and opened on their way to agents, nowhere between', async t => {
  const secrets = createSecrets(`${tempDir(t)}/secrets.key`, createLogger('test'))
  const lab = new Lab([V1])
  const asked: Command = { ...create(V1, 'production'), ...withValue({ password: 'hunter2', colour: 'blue' }) }
  const command = secrets.seal(lab.state, asked)
  t.notMatch(JSON.stringify(command), 'hunter2')
  t.match(JSON.stringify(command), '"colour":"blue"')
  t.strictSame(secrets.seal(lab.state, asked), command, 'a retry is the same command')
  lab.accept(command)
  lab.settle()
  t.notMatch(JSON.stringify([lab.state, lab.events]), 'hunter2')
  const again = secrets.seal(lab.state, configure({ password: 'hunter2' }))
  t.strictSame(lab.refused(again), ['nothing_to_do'])
  for (const assignment of Object.values(projectAssignments(lab.state))) {
    t.strictSame(Object.values(secrets.open(assignment).secrets ?? {}), ['hunter2'])
    // Another key opens nothing, and says so once.
    const stranger = createSecrets(`${tempDir(t)}/secrets.key`, createLogger('test'))
    t.equal(stranger.open(assignment).secrets, undefined)
  }
})

t.test('a secret may belong to a slot: each deployment has the value of its own', async t => {
  const bound = role('web', {
    instances: 2,
    settings: { password: '' },
    secrets: ['password'],
    slotSettings: { password: {} },
  })
  const release = makeRelease('shop', '3.0.0', [bound], { upgradeDomainCount: 2 })
  const slots = { production: key.seal('password', 'for production'), staging: key.seal('password', 'for staging') }
  const lab = new Lab([release])
  const given = (values: Partial<typeof slots>) => ({
    configuration: { roles: { web: { slotSettings: { password: values } } } },
  })
  t.match(
    lab.refusal({ ...create(release, 'production'), ...given({ staging: slots.staging }) }).message,
    /needs a value for its secret password/,
  )
  lab.accept({ ...create(release, 'production'), ...given(slots) })
  lab.accept({ ...create(release, 'staging'), ...given(slots) })
  lab.settle()
  const secrets = createSecrets(`${tempDir(t)}/secrets.key`, createLogger('test'))
  t.equal(
    JSON.stringify(secrets.seal(lab.state, { ...create(release, 'staging'), ...given({ staging: 'open' }) })).includes(
      'open',
    ),
    false,
  )
  const values = Object.values(projectAssignments(lab.state)).flatMap(({ instances }) =>
    instances.map(({ deployment, spec }) => `${deployment} ${key.open('password', spec.settings['password'] ?? '')}`),
  )
  t.strictSame([...new Set(values)].toSorted(), ['d1 for production', 'd2 for staging'])
})
