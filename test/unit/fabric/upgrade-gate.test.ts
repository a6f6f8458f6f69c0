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
  t.equal(lab.versions(), '2.0.0 2.0.0 1.0.0')
})
