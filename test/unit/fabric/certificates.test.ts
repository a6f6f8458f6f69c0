import t from 'tap'
import type { Command } from '../../../src/contracts/command.ts'
import type { Certificate } from '../../../src/model/certificate.ts'
import type { Slot } from '../../../src/model/slot.ts'
import type { Configuration, EndpointDefinition, ServiceDefinition } from '../../../src/model/definition.ts'
import type { Release } from '../../../src/model/release.ts'
import { projectAssignments } from '../../../src/fabric/project-assignments.ts'
import { certificate, endpoint, makeRelease, role } from '../../simulation/releases.ts'
import { Lab } from './lab.ts'

const ONE = certificate('one', ['shop.localhost'])
const TWO = certificate('two', ['shop.localhost'])
const BLOG = certificate('blog', ['blog.localhost'])

interface Wish {
  name?: string
  version?: string
  /** What the package brings as `site`. */
  brings?: Certificate | null
  over?: Partial<EndpointDefinition>
  more?: Partial<ServiceDefinition> & { unchanged?: Record<string, string> }
}

/** A package with one https endpoint on port 8443. */
function https({ name = 'shop', version = '1.0.0', brings = null, over = {}, more = {} }: Wish): Release {
  const tls = endpoint('tls', 8443, { protocol: 'https', certificates: ['site'], http2: true, ...over })
  const files = brings === null ? null : { cert: 'site.pem', key: 'site.pem' }
  const release = makeRelease(name, version, [role('web', { endpoints: [tls], certificates: { site: files } })], more)
  return { ...release, certificates: brings === null ? {} : { web: { site: { id: brings.id } } } }
}

const create = (
  release: Release,
  slot: Slot = 'production',
  over: { site?: Certificate; replace?: boolean } = {},
): Command => ({
  kind: 'create',
  service: release.definition.name,
  slot,
  package: release.digest,
  replace: over.replace ?? false,
  ...(over.site === undefined ? {} : { configuration: site(over.site) }),
})

const site = ({ id }: Certificate): Configuration => ({ roles: { web: { certificates: { site: { id } } } } })

const configure = (wanted: Certificate, service = 'shop', slot: Slot = 'production'): Command => ({
  kind: 'configure',
  service,
  slot,
  configuration: site(wanted),
})

function labOf(...releases: readonly (readonly [Release, Certificate | null])[]): Lab {
  const lab = new Lab([])
  for (const [release, brings] of releases) {
    lab.input({ kind: 'release-added', release, certificates: brings === null ? [] : [brings] })
  }
  return lab
}

/** A lab in which everything named is deployed. */
function deployed(...releases: readonly (readonly [Release, Certificate])[]): Lab {
  const lab = labOf(...releases)
  for (const [release] of releases) {
    lab.accept(create(release))
    lab.settle()
  }
  return lab
}

const shown = (lab: Lab, slot: Slot = 'production', service = 'shop'): readonly string[] | undefined =>
  lab.listener(`${service}/${slot}/web/tls`).tls?.certificates

t.test('an https address shows what the package brings, and the table holds only what is shown', async t => {
  const lab = labOf([https({ brings: ONE }), ONE], [https({ name: 'blog', brings: BLOG }), BLOG])
  lab.accept(create(https({ brings: ONE })))
  lab.settle()
  t.match(lab.listener('shop/production/web/tls'), {
    protocol: 'https',
    port: 8443,
    tls: { certificates: [ONE.id], clientAuth: null },
    options: { http2: true, proxyProtocol: false, forwarded: false, maxBodyBytes: null },
  })
  t.strictSame(lab.routing().certificates, {
    [ONE.id]: { id: ONE.id, chain: ONE.chain, key: ONE.key, names: ONE.names },
  })
  t.strictSame(shown(lab, 'staging'), [ONE.id], 'an address that had no deployment yet shows what the other slot does')
  t.strictSame(Object.keys(lab.state.certificates).toSorted(), [ONE.id, BLOG.id].toSorted())
  lab.input({ kind: 'releases-removed', digests: [https({ name: 'blog' }).digest] })
  t.strictSame(Object.keys(lab.state.certificates), [ONE.id], 'a package takes its certificate with it')
})

t.test('a certificate that nobody gives is named; the configuration goes before the package', async t => {
  const lab = labOf([https({}), null])
  const { code, message } = lab.refusal(create(https({})))
  t.equal(code, 'invalid_configuration')
  t.match(
    message,
    /role web, certificate site: the package brings none and the configuration gives none; write roles: /,
  )
  const wrong = { ...create(https({})), configuration: { roles: { web: { certificates: { sit: { id: ONE.id } } } } } }
  t.match(lab.refusal(wrong, null, [ONE]).message, /role web has no certificate "sit"; it has site/)
  t.strictSame(lab.state.certificates, {}, 'what was refused left nothing')
  lab.accept(create(https({}), 'production', { site: TWO }), 'key', [TWO])
  lab.settle()
  t.strictSame(shown(lab), [TWO.id])
  t.notMatch(JSON.stringify(lab.state.requests), /key of/, 'a kept request holds no key')
  const over = labOf([https({ brings: ONE }), ONE])
  over.accept(create(https({ brings: ONE }), 'production', { site: TWO }), null, [TWO])
  over.settle()
  t.strictSame(shown(over), [TWO.id])
})

t.test('other certificates are one other table: nothing is walked or restarted', async t => {
  const lab = deployed([https({ brings: ONE }), ONE], [https({ name: 'blog', brings: BLOG }), BLOG])
  const { roles } = lab.state
  const assignments = JSON.stringify(projectAssignments(lab.state)['n1']?.instances)
  const operation = lab.accept(configure(TWO), null, [TWO])
  t.match(lab.operation(operation), { kind: 'configure', status: 'InProgress', step: 'publishing', slot: 'production' })
  t.match(lab.operation(operation), { from: { 'web/site': ONE.id }, to: { 'web/site': TWO.id } })
  t.strictSame(shown(lab), [TWO.id])
  t.strictSame(shown(lab, 'production', 'blog'), [BLOG.id], "the other service's is what it was")
  lab.report()
  t.equal(lab.operation(operation).status, 'InProgress', 'until every proxy has it')
  lab.acknowledge()
  t.equal(lab.operation(operation).status, 'Succeeded')
  t.equal(lab.state.roles, roles)
  t.equal(JSON.stringify(projectAssignments(lab.state)['n1']?.instances), assignments)
  t.equal(lab.deployment().upgrade, null)
  t.strictSame(Object.keys(lab.routing().certificates).toSorted(), [TWO.id, BLOG.id].toSorted())
  t.strictSame(lab.refused(configure(TWO)), ['nothing_to_do'])
  const before = JSON.stringify(lab.routing().listeners)
  lab.restart()
  t.equal(JSON.stringify(lab.routing().listeners), before, 'the next controller tells the same')
  t.strictSame(shown(lab), [TWO.id])
  lab.settle()
  lab.accept(configure(ONE), null, [ONE])
  lab.settle()
  t.notOk(Object.hasOwn(lab.state.certificates, TWO.id), 'what nothing shows is forgotten with its key')
})

t.test('certificates change beside counts and settings, and while an upgrade waits', async t => {
  const withSettings = (version: string): Release => {
    const release = https({ version, brings: ONE })
    const web = role('web', { ...release.definition.roles['web'], settings: { colour: 'red' } })
    return { ...release, definition: { ...release.definition, roles: { web } } }
  }
  const lab = labOf([withSettings('1.0.0'), ONE], [withSettings('2.0.0'), ONE])
  lab.accept(create(withSettings('1.0.0')))
  lab.settle()
  const with_ = (web: object): Command => ({
    kind: 'configure',
    service: 'shop',
    slot: 'production',
    configuration: { roles: { web: { ...site(TWO).roles['web'], ...web } } },
  })
  t.equal(lab.operation(lab.accept(with_({ instances: 3 }), null, [TWO])).kind, 'scale')
  lab.settle()
  t.strictSame(shown(lab), [TWO.id])
  t.equal(lab.instances().length, 3)
  const THREE = certificate('three', ['shop.localhost'])
  const walk = { roles: { web: { certificates: { site: { id: THREE.id } }, settings: { colour: 'blue' } } } }
  t.equal(lab.operation(lab.accept({ ...with_({}), configuration: walk } as Command, null, [THREE])).kind, 'configure')
  lab.settle()
  lab.settle()
  t.strictSame(shown(lab), [THREE.id])

  lab.accept({
    kind: 'upgrade',
    service: 'shop',
    slot: 'production',
    package: withSettings('2.0.0').digest,
    mode: 'manual',
    force: false,
    restartUnchanged: false,
    overlap: false,
  })
  lab.settle()
  t.ok(lab.deployment().upgrade)
  lab.accept(configure(TWO), null, [TWO])
  lab.settle()
  t.strictSame(shown(lab), [TWO.id])
  lab.accept({ kind: 'walk', service: 'shop', slot: 'production' })
  lab.settle()
  lab.accept({ kind: 'rollback', service: 'shop', slot: 'production' })
  lab.settle()
  t.equal(lab.deployment().upgrade, null)
  t.strictSame(shown(lab), [TWO.id], 'both ends of the walk have it')
})

t.test('an upgrade brings its certificate with its first table, a rollback the old one', async t => {
  const next = https({ version: '2.0.0', brings: TWO, over: { forwarded: true } })
  const lab = labOf([https({ brings: ONE }), ONE], [next, TWO])
  lab.accept(create(https({ brings: ONE })))
  lab.settle()
  const upgrade = (mode: 'manual' | 'auto'): Command => ({
    kind: 'upgrade',
    service: 'shop',
    slot: 'production',
    package: next.digest,
    mode,
    force: false,
    restartUnchanged: false,
    overlap: false,
  })
  lab.accept(upgrade('manual'))
  lab.settle()
  t.strictSame(shown(lab), [TWO.id])
  t.equal(lab.listener('shop/production/web/tls').options.forwarded, true)
  lab.accept({ kind: 'rollback', service: 'shop', slot: 'production' })
  lab.settle()
  t.strictSame(shown(lab), [ONE.id])
  t.equal(lab.listener('shop/production/web/tls').options.forwarded, false)
  lab.packageErrors[next.digest] = 'no room'
  const failed = lab.accept(upgrade('auto'))
  lab.settle()
  t.equal(lab.operation(failed).status, 'Failed')
  t.strictSame(shown(lab), [ONE.id], 'a package that cannot be used takes its certificate back')
})

t.test('an upgrade whose configuration changes only certificates walks nothing', async t => {
  const lab = deployed([https({ brings: ONE }), ONE])
  const command: Command = {
    kind: 'upgrade',
    service: 'shop',
    slot: 'production',
    package: https({}).digest,
    force: false,
    restartUnchanged: false,
    overlap: false,
    configuration: site(TWO),
  }
  const operation = lab.accept(command, null, [TWO])
  t.equal(lab.operation(operation).kind, 'configure')
  lab.settle()
  t.strictSame(shown(lab), [TWO.id])
})

t.test('certificates go with the deployment on a swap, addresses and host names stay', async t => {
  const next = https({ version: '2.0.0', brings: TWO })
  const lab = labOf([https({ brings: ONE }), ONE], [next, TWO])
  lab.accept(create(https({ brings: ONE })))
  lab.settle()
  lab.accept(create(next, 'staging'))
  lab.settle()
  t.strictSame([shown(lab), shown(lab, 'staging')], [[ONE.id], [TWO.id]])
  lab.accept({ kind: 'swap', service: 'shop' })
  lab.settle()
  t.strictSame([shown(lab), shown(lab, 'staging')], [[TWO.id], [ONE.id]])
  t.match(lab.listener('shop/production/web/tls'), { port: 8443, hostNames: ['shop.localhost'] })
  lab.accept({ kind: 'delete', service: 'shop', slot: 'staging' })
  lab.settle()
  lab.input({ kind: 'releases-removed', digests: [https({}).digest] })
  t.strictSame(shown(lab, 'staging'), [ONE.id], 'an empty slot answers under its last certificate')
  t.ok(lab.routing().certificates[ONE.id])
  lab.accept({ kind: 'status', service: 'shop', slot: 'production', status: 'Suspended' })
  lab.settle()
  t.match(lab.listener('shop/production/web/tls'), { pool: null, tls: { certificates: [TWO.id] } })
})

t.test('an address speaks as the deployment in its slot does, and a swap wants both to speak alike', async t => {
  const plain = (over: Partial<EndpointDefinition>): Release =>
    makeRelease('shop', '2.0.0', [role('web', { endpoints: [endpoint('tls', 8443, over)] })])
  for (const over of [{}, { protocol: 'tcp' as const }]) {
    const lab = labOf([https({ brings: ONE }), ONE], [plain(over), null])
    lab.accept(create(https({ brings: ONE })))
    lab.settle()
    lab.accept(create(plain(over), 'staging'))
    lab.settle()
    t.match(lab.listener('shop/staging/web/tls'), { protocol: over.protocol ?? 'http', tls: null, port: 8444 })
    t.match(lab.listener('shop/production/web/tls'), { protocol: 'https', tls: { certificates: [ONE.id] } })
    t.strictSame(lab.refused({ kind: 'swap', service: 'shop' }), ['endpoint_mismatch'])
  }
  const proxied = https({ version: '2.0.0', brings: ONE, over: { proxyProtocol: true } })
  const lab = labOf([https({ brings: ONE }), ONE], [proxied, ONE])
  lab.accept(create(https({ brings: ONE })))
  lab.settle()
  lab.accept(create(proxied, 'staging'))
  lab.settle()
  t.match(lab.refusal({ kind: 'swap', service: 'shop' }).message, /staging has web\/tls https 8443 proxyProtocol/)
  t.match(
    lab.refusal({
      kind: 'upgrade',
      service: 'shop',
      slot: 'production',
      package: proxied.digest,
      force: false,
      restartUnchanged: false,
      overlap: false,
    }).message,
    /role web: endpoint tls: proxyProtocol becomes true, never in place/,
  )
})

t.test('a create that fails gives an address back what it showed', async t => {
  const next = https({ version: '2.0.0', brings: TWO })
  const lab = labOf([https({ brings: ONE }), ONE], [next, TWO])
  lab.accept(create(https({ brings: ONE })))
  lab.settle()
  lab.packageErrors[next.digest] = 'no room'
  const failed = lab.accept(create(next, 'staging'))
  t.strictSame(shown(lab, 'staging'), [TWO.id])
  lab.settle()
  t.equal(lab.operation(failed).status, 'Failed')
  t.strictSame(shown(lab, 'staging'), [ONE.id])
  lab.accept(configure(TWO), null, [TWO])
  lab.settle()
  t.strictSame(shown(lab, 'staging'), [TWO.id], 'and it follows the other slot as before')
})

t.test('services share an address under host names of their own', async t => {
  const lab = deployed([https({ brings: ONE }), ONE], [https({ name: 'blog', brings: BLOG }), BLOG])
  t.strictSame([shown(lab), shown(lab, 'production', 'blog')], [[ONE.id], [BLOG.id]])
  const names = lab.routing().listeners.map(({ hostNames, host, port }) => `${hostNames.join()} ${host}:${port}`)
  t.strictSame(names.toSorted(), [
    'blog.localhost 127.0.0.1:8443',
    'shop.localhost 127.0.0.1:8443',
    'staging.blog.localhost 127.0.0.1:8444',
    'staging.shop.localhost 127.0.0.1:8444',
  ])
})

t.test('what cannot share an address is refused before anything is stopped, naming both', async t => {
  const same = { hostNames: { production: 'shop.localhost', staging: 'staging.blog.localhost' } }
  const name = 'blog'
  const plain = endpoint('http', 8443)
  const elsewhere = { production: { host: '0.0.0.0', portOffset: 0 }, staging: { host: '127.0.0.1', portOffset: 1 } }
  const cases: readonly (readonly [string, Release, Certificate, string, RegExp])[] = [
    [
      'different certificates for the same host name',
      https({ name, brings: TWO, more: same }),
      TWO,
      'certificate_conflict',
      /service blog \(production web\/tls\) and service shop \(production web\/tls\) both ask for 127.0.0.1:8443, with different certificates for the same host name shop.localhost/,
    ],
    [
      'the same host name',
      https({ name, brings: ONE, more: same }),
      ONE,
      'address_conflict',
      /service blog .* and service shop .*, both under the host name shop.localhost/,
    ],
    [
      'http beside https',
      makeRelease(name, '1.0.0', [role('web', { endpoints: [plain] })]),
      ONE,
      'address_conflict',
      /service blog .* and service shop .*, one as http, one as https/,
    ],
    [
      'tcp',
      makeRelease(name, '1.0.0', [role('web', { endpoints: [{ ...plain, protocol: 'tcp' }] })]),
      ONE,
      'address_conflict',
      /tcp shares its port with nothing/,
    ],
    [
      'the PROXY protocol on one side',
      https({ name, brings: BLOG, over: { proxyProtocol: true } }),
      BLOG,
      'address_conflict',
      /only one of them with the PROXY protocol/,
    ],
    [
      'all addresses of the machine',
      https({ name, brings: BLOG, more: { vips: elsewhere } }),
      BLOG,
      'address_conflict',
      /one of them on all addresses of the machine/,
    ],
  ]
  for (const [what, release, brings, code, message] of cases) {
    const { hostNames, vips } = release.definition
    const before = makeRelease(name, '0.9.0', [role('web', { endpoints: [endpoint('tls', 9443)] })], {
      hostNames,
      vips,
    })
    const lab = labOf([https({ brings: ONE }), ONE], [before, null], [release, brings])
    lab.accept(create(https({ brings: ONE })))
    lab.settle()
    t.match(lab.refusal(create(release)), { code, message }, what)
    lab.accept(create(before))
    lab.settle()
    // A refusal changes nothing, which the lab looks after: what is in the slot serves on.
    t.match(lab.refusal(create(release, 'production', { replace: true })), { code, message }, `${what}, with replace`)
  }
})

t.test('certificates whose names both services have conflict where their host names say nothing', async t => {
  const mine = certificate('mine', ['www.example.org', '127.0.0.1'])
  const theirs = certificate('theirs', ['www.example.org', '127.0.0.1'])
  const lab = labOf([https({ brings: mine }), mine], [https({ name: 'blog', brings: theirs }), theirs])
  lab.accept(create(https({ brings: mine })))
  lab.settle()
  t.match(lab.refusal(create(https({ name: 'blog', brings: theirs }))), {
    code: 'certificate_conflict',
    message: /same host name www.example.org/,
  })
  const shared = labOf([https({ brings: mine }), mine], [https({ name: 'blog', brings: mine }), mine])
  shared.accept(create(https({ brings: mine })))
  shared.settle()
  shared.accept(create(https({ name: 'blog', brings: mine })))
  shared.settle()
  t.strictSame(Object.keys(shared.routing().certificates), [mine.id], 'the same certificate is no conflict')
})

t.test('names that certificates have besides are no dispute', async t => {
  const mine = certificate('mine', ['shop.localhost', 'localhost', '127.0.0.1'])
  const theirs = certificate('theirs', ['blog.localhost', 'localhost', '127.0.0.1'])
  const lab = deployed([https({ brings: mine }), mine], [https({ name: 'blog', brings: theirs }), theirs])
  t.strictSame([shown(lab), shown(lab, 'production', 'blog')], [[mine.id], [theirs.id]])
})

t.test('a later change cannot bring the conflict either', async t => {
  const WIDE = certificate('wide', ['*.example.org'])
  const WRONG = certificate('wrong', ['www.example.org'])
  const mine = certificate('mine', ['www.example.org'])
  const next = https({ name: 'blog', version: '2.0.0', brings: WRONG })
  const lab = labOf([https({ brings: mine }), mine], [https({ name: 'blog', brings: WIDE }), WIDE], [next, WRONG])
  lab.accept(create(https({ brings: mine })))
  lab.settle()
  lab.accept(create(https({ name: 'blog', brings: WIDE })))
  lab.settle()
  const both = /service blog \(production web\/tls\) and service shop \(production web\/tls\)/
  t.match(lab.refusal(configure(WRONG, 'blog'), null, [WRONG]), { code: 'certificate_conflict', message: both })
  const upgrade: Command = {
    kind: 'upgrade',
    service: 'blog',
    slot: 'production',
    package: next.digest,
    force: false,
    restartUnchanged: false,
    overlap: false,
  }
  t.match(lab.refusal(upgrade), { code: 'certificate_conflict', message: both })
  t.strictSame(shown(lab, 'production', 'blog'), [WIDE.id])
  // On its staging address it would be at odds with shop's there: give blog another address for staging.
  const apart = {
    vips: { production: { host: '127.0.0.1', portOffset: 0 }, staging: { host: '127.0.0.2', portOffset: 1 } },
  }
  const old = https({ name: 'blog', brings: WIDE, more: apart })
  const swapping = labOf([https({ brings: mine }), mine], [old, WIDE], [next, WRONG])
  swapping.accept(create(https({ brings: mine })))
  swapping.settle()
  swapping.accept(create(old))
  swapping.settle()
  swapping.accept(create(next, 'staging'))
  swapping.settle()
  t.match(swapping.refusal({ kind: 'swap', service: 'blog' }), { code: 'certificate_conflict', message: both })
})

t.test('mutual TLS, and the limits a fabric gives its endpoints', async t => {
  const over = { clientAuth: { ca: 'ca.pem', required: false } }
  const release = { ...https({ brings: ONE, over }), authorities: { web: { tls: 'the authorities' } } }
  const lab = labOf([release, ONE])
  lab.accept(create(release))
  lab.settle()
  t.strictSame(lab.listener('shop/production/web/tls').tls?.clientAuth, { ca: 'the authorities', required: false })
  const settings = { ...lab.settings, endpointDefaults: { maxBodyBytes: 5, ejection: null } }
  lab.input({ kind: 'restored', settings })
  t.equal(lab.listener('shop/production/web/tls').options.maxBodyBytes, 5, 'taken up with the next start')
  t.equal(lab.routing().pools['d1/web/tls']?.policy.ejection, null)
  const later = { ...https({ version: '2.0.0', brings: ONE, over }), authorities: { web: {} } }
  lab.input({ kind: 'release-added', release: later, certificates: [ONE] })
  lab.accept({
    kind: 'upgrade',
    service: 'shop',
    slot: 'production',
    package: later.digest,
    mode: 'auto',
    force: false,
    restartUnchanged: false,
    overlap: false,
  })
  lab.settle()
  t.strictSame(
    lab.listener('shop/production/web/tls').tls?.clientAuth,
    { ca: 'the authorities', required: false },
    'it never stops asking because the authorities are not known',
  )
})
