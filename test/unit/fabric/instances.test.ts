import t from 'tap'

import { makeRelease } from '../../simulation/releases.ts'
import { Lab } from './lab.ts'

const V1 = makeRelease('shop', '1.0.0')
const V2 = makeRelease('shop', '2.0.0')

const CREATE = { kind: 'create', service: 'shop', slot: 'production', package: V1.digest, replace: false } as const
const scale = (instances: number) =>
  ({
    kind: 'configure',
    service: 'shop',
    slot: 'production',
    configuration: { roles: { web: { instances } } },
  }) as const

/** `web` with two instances of 1.0.0 in production, serving. */
function deployed(): Lab {
  const lab = new Lab([V1, V2])
  lab.accept(CREATE)
  lab.settle()
  return lab
}

t.test('an instance that comes back after a scale-in begins above its old incarnation', async t => {
  const lab = deployed()
  lab.accept(scale(1))
  lab.settle()
  t.equal(lab.instances().length, 1)
  lab.accept(scale(2))
  lab.settle()
  t.equal(lab.instance('web_IN_1').incarnation, 2)
})
