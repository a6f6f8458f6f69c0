import t from 'tap'
import type { UpgradeMode } from '../../../src/model/states.ts'
import { makeRelease, role } from '../../simulation/releases.ts'
import { Lab } from './lab.ts'

const web = role('web', { instances: 3 })
const V1 = makeRelease('shop', '1.0.0', [web], { upgradeDomainCount: 3 })
const V2 = makeRelease('shop', '2.0.0', [web], { upgradeDomainCount: 3 })

function deployed(): Lab {
  const lab = new Lab([V1, V2])
  lab.accept({ kind: 'create', service: 'shop', slot: 'production', package: V1.digest, replace: false })
  lab.settle()
  return lab
}

function upgrade(lab: Lab, mode: UpgradeMode): string {
  const flags = { force: false, restartUnchanged: false, overlap: false }
  return lab.accept({ kind: 'upgrade', service: 'shop', slot: 'production', package: V2.digest, mode, ...flags })
}

t.test('after a restart a gate waits for word of the instances, whatever the journal says of them', async t => {
  const lab = deployed()
  upgrade(lab, 'monitored')
  lab.settle()
  t.equal(lab.versions(), '2.0.0 1.0.0 1.0.0', 'the first domain is verified for its stable time')
  lab.restart()
  lab.acknowledge()
  lab.pass(600_000)
  t.equal(lab.versions(), '2.0.0 1.0.0 1.0.0')
  t.equal(lab.deployment().upgrade?.direction, 'forward', 'silence is no failure either')
  lab.settle()
  lab.flow(9999)
  lab.settle()
  t.equal(lab.versions(), '2.0.0 1.0.0 1.0.0', 'time in which nobody looked is no stable time')
  lab.flow(1)
  lab.settle()
  t.equal(lab.versions(), '2.0.0 2.0.0 1.0.0')
})

t.test('a rollback does not send requests to a draining instance that failed meanwhile', async t => {
  const lab = deployed()
  upgrade(lab, 'auto')
  lab.report()
  t.match(lab.stages(), /web0:draining/)
  lab.seen = ({ index }) => (index === 0 ? { state: 'unresponsive' } : {})
  lab.report()
  lab.accept({ kind: 'rollback', service: 'shop', slot: 'production' })
  t.match(lab.stages(), /web0:serving/)
  t.equal(lab.target('web_IN_0')?.state, 'draining')
  lab.seen = () => ({})
  lab.report()
  t.equal(lab.target('web_IN_0')?.state, 'in')
})

t.test('a walk that becomes simultaneous takes down all that is left, and ends when all of it is there', async t => {
  const lab = deployed()
  const operation = upgrade(lab, 'auto')
  lab.report()
  t.equal(lab.stages(), 'web0:draining web1:serving web2:serving')
  lab.accept({ kind: 'changeUpgrade', service: 'shop', slot: 'production', mode: 'simultaneous' })
  t.equal(lab.stages(), 'web0:draining web1:draining web2:draining')
  lab.settle()
  t.equal(lab.versions(), '2.0.0 2.0.0 2.0.0')
  t.equal(lab.operation(operation).status, 'Succeeded')
  t.strictSame(
    lab.operation(operation).receipt?.domains.map(({ domain }) => domain),
    [0, 1, 2],
  )
})

t.test('a simultaneous walk that becomes manual counts the domains on their way as walked when asked', async t => {
  const lab = deployed()
  upgrade(lab, 'simultaneous')
  lab.report()
  lab.accept({ kind: 'changeUpgrade', service: 'shop', slot: 'production', mode: 'manual' })
  lab.settle()
  t.equal(lab.versions(), '2.0.0 2.0.0 2.0.0')
  for (const domain of [1, 2]) lab.accept({ kind: 'walk', service: 'shop', slot: 'production', domain })
  t.equal(lab.deployment().upgrade, null)
})
