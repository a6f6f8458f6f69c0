import t from 'tap'
import { DEFAULT_LIMITS, DEFAULT_POLICY } from '../../../src/contracts/routing.ts'
import { policyOf } from '../../../src/fabric/policy.ts'
import { DEFAULT_FABRIC_CONFIG } from '../../../src/model/load-fabric-config.ts'
import { endpoint, makeRelease, role } from '../../simulation/releases.ts'
import { Lab } from './lab.ts'

const FABRIC = { limits: DEFAULT_LIMITS, endpointDefaults: DEFAULT_FABRIC_CONFIG.endpointDefaults }

t.test('a role that says nothing gets the defaults', async t => {
  t.strictSame(policyOf(role('web'), endpoint('http', 80), FABRIC), DEFAULT_POLICY)
})

t.test('what role, endpoint and fabric say', async t => {
  const timeouts = { connectMs: 1, responseMs: null, idleMs: 3 }
  const web = role('web', {
    affinity: 'cookie',
    balancing: 'round-robin',
    slowStartMs: 5,
    maxConcurrent: 6,
    maxQueue: 7,
    ejection: { failures: 8 },
  })
  const limits = { ...DEFAULT_LIMITS, responseTimeoutMs: 2 }
  const endpointDefaults = { maxBodyBytes: null, ejection: { failures: 1, baseMs: 9, maxShare: 1 } }
  t.strictSame(policyOf(web, endpoint('http', 80, { backend: 'h2c', timeouts }), { limits, endpointDefaults }), {
    backend: 'h2c',
    balancing: 'round-robin',
    affinity: 'cookie',
    slowStartMs: 5,
    maxConcurrent: 6,
    maxQueue: 7,
    ejection: { failures: 8, baseMs: 9, maxShare: 1 },
    connectTimeoutMs: 1,
    responseTimeoutMs: 2,
    idleTimeoutMs: 3,
  })
  t.equal(policyOf(web, endpoint('raw', 80, { protocol: 'tcp' }), FABRIC).affinity, 'none', 'tcp has no cookies')
})

t.test('ejection: the role goes before the fabric', async t => {
  const off = { limits: DEFAULT_LIMITS, endpointDefaults: { maxBodyBytes: null, ejection: null } }
  const of = (ejection: { failures?: number } | null, fabric: Parameters<typeof policyOf>[2]) =>
    policyOf(role('web', { ejection }), endpoint('http', 80), fabric).ejection
  t.equal(of(null, FABRIC), null)
  t.equal(of({}, off), null)
  t.strictSame(of({ failures: 2 }, off), { failures: 2, baseMs: 5000, maxShare: 0.5 })
})

t.test('weights go by the index of the instance', async t => {
  const release = makeRelease('shop', '1.0.0', [role('web', { instances: 3, weights: [4, 2] })])
  const lab = new Lab([release])
  lab.accept({ kind: 'create', service: 'shop', slot: 'production', package: release.digest, replace: false })
  lab.settle()
  const targets = lab.routing().pools['d1/web/http']?.targets ?? []
  t.strictSame(
    targets.map(({ instance, weight }) => `${instance} ${weight}`),
    ['web_IN_0 4', 'web_IN_1 2', 'web_IN_2 1'],
  )
})
