import t from 'tap'
import type { Command } from '../../../src/contracts/command.ts'
import { projectAssignments } from '../../../src/fabric/project-assignments.ts'
import { makeRelease, role } from '../../simulation/releases.ts'
import { Lab } from './lab.ts'

const reloading = role('web', { instances: 3, settings: { colour: 'red' }, settingsReload: 'SIGHUP' })
const crunch = role('crunch', { kind: 'worker', endpoints: [], instances: 2 })
const V1 = makeRelease('shop', '1.0.0', [reloading, crunch], { upgradeDomainCount: 3 })
const V2 = makeRelease('shop', '2.0.0', [reloading, crunch], { upgradeDomainCount: 3 })
const at = { service: 'shop', slot: 'production' } as const
const colour = (value: string): Command => ({
  kind: 'configure',
  ...at,
  configuration: { roles: { web: { settings: { colour: value } } } },
})

function deployed(): Lab {
  const lab = new Lab([V1, V2])
  lab.accept({ kind: 'create', ...at, package: V1.digest, replace: false })
  lab.settle()
  return lab
}

function told(lab: Lab): string {
  return Object.values(projectAssignments(lab.state))
    .flatMap(({ instances }) => instances)
    .filter(({ role: name }) => name === 'web')
    .toSorted((a, b) => a.index - b.index)
    .map(({ incarnation, spec }) => `${incarnation} ${spec.settings['colour']}`)
    .join(', ')
}

t.test('settings of a role that asks for it are told domain by domain, without a restart', async t => {
  const lab = deployed()
  const operation = lab.accept(colour('blue'))
  t.equal(told(lab), '1 blue, 1 red, 1 red')
  t.equal(lab.target('web_IN_0')?.state, 'in', 'it stays in the table')
  lab.acknowledge()
  t.equal(told(lab), '1 blue, 1 red, 1 red', 'the next domain waits for the agent to say that it was told')
  lab.report()
  t.match(told(lab), /^1 blue, 1 blue/)
  lab.settle()
  t.equal(told(lab), '1 blue, 1 blue, 1 blue')
  t.match(lab.operation(operation), { kind: 'configure', status: 'Succeeded' })
})

t.test('told half-way, a rollback tells the old settings to those that heard the new ones', async t => {
  const lab = deployed()
  lab.accept(colour('blue'))
  lab.accept({ kind: 'rollback', ...at })
  lab.settle()
  t.equal(told(lab), '1 red, 1 red, 1 red')
  t.equal(lab.deployment().upgrade, null)
})

t.test('with another package, or while it is down, the instance is restarted with them', async t => {
  const lab = deployed()
  const { configuration } = colour('blue') as Extract<Command, { kind: 'configure' }>
  const flags = { force: false, restartUnchanged: false, overlap: false }
  lab.accept({ kind: 'upgrade', ...at, package: V2.digest, mode: 'auto', ...flags, configuration })
  lab.settle()
  t.equal(told(lab), '2 blue, 2 blue, 2 blue')

  const sick = deployed()
  sick.seen = ({ index, spec }) => (index === 0 && spec.settings['colour'] === 'red' ? { state: 'backoff' } : {})
  sick.settle()
  sick.accept(colour('blue'))
  sick.settle()
  t.equal(told(sick), '2 blue, 1 blue, 1 blue')
})

t.test('a controller that takes over in between waits for the word of the agents', async t => {
  const lab = deployed()
  lab.accept(colour('blue'))
  lab.restart()
  lab.connectProxy('p1')
  lab.acknowledge()
  t.equal(told(lab), '1 blue, 1 red, 1 red')
  lab.settle()
  t.equal(told(lab), '1 blue, 1 blue, 1 blue')
})

// "Adding or removing role instances notifies all roles": a change of the deployment's topology reaches every instance.
t.test('every instance is told how many there are of each role, and nothing restarts for it', async t => {
  const lab = deployed()
  const peers = (): unknown[] => [
    ...new Set(
      Object.values(projectAssignments(lab.state)).flatMap(({ instances }) =>
        instances.map(instance => JSON.stringify(instance.peers)),
      ),
    ),
  ]
  t.strictSame(peers(), ['{"crunch":2,"web":3}'])
  lab.accept({ kind: 'configure', ...at, configuration: { roles: { crunch: { instances: 1 } } } })
  t.strictSame(peers(), ['{"crunch":1,"web":3}'], 'who leaves is not told of any more')
  lab.settle()
  t.equal(lab.instance('web_IN_0').incarnation, 1)
})
