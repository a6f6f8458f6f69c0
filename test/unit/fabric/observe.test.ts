import t from 'tap'
import { makeRelease } from '../../simulation/releases.ts'
import { Lab } from './lab.ts'

const V1 = makeRelease('shop', '1.0.0')

function deployed(): Lab {
  const lab = new Lab([V1])
  lab.accept({ kind: 'create', service: 'shop', slot: 'production', package: V1.digest, replace: false })
  lab.settle()
  return lab
}

const reboot = { kind: 'reboot', service: 'shop', slot: 'production', instance: 'web_IN_0' } as const

t.test('a predecessor nobody knew that has not exited is waited for until it has', async t => {
  const lab = deployed()
  lab.connectProxy('p3', [
    { incarnation: 'p1', exited: true },
    { incarnation: 'p2', exited: false },
  ])
  lab.accept(reboot)
  lab.acknowledge(['p3'])
  t.match(lab.stages(), /web0:draining/, 'p2 may still send requests')
  lab.input({ kind: 'proxy-exited', incarnation: 'p2' })
  t.match(lab.stages(), /web0:retiring/)
})

t.test('a proxy that is silent holds planned work for ever: only its exit or its word lets it go on', async t => {
  const lab = deployed()
  lab.connectProxy('p2')
  lab.accept(reboot)
  lab.acknowledge(['p1'])
  lab.pass(24 * 3_600_000)
  t.match(lab.stages(), /web0:draining/)
  lab.acknowledge(['p2'])
  t.match(lab.stages(), /web0:retiring/)
})

t.test('what an exited proxy said late is forgotten', async t => {
  const lab = deployed()
  lab.input({ kind: 'proxy-exited', incarnation: 'p1' })
  lab.acknowledge(['p1'])
  t.strictSame(lab.state.observed.proxies, {})
})

t.test('all earlier incarnations of a proxy are gone when it comes back under another boot', async t => {
  const lab = deployed()
  lab.boot = 'boot-2'
  lab.connectProxy('p2')
  t.strictSame(Object.keys(lab.state.proxies), ['p2'])
})
