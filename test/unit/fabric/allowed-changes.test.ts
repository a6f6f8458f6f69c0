import t from 'tap'
import type { Command } from '../../../src/contracts/command.ts'
import type { Configuration, RoleDefinition, ServiceDefinition } from '../../../src/model/definition.ts'
import type { Release } from '../../../src/model/release.ts'
import {
  ALLOWED_CHANGES,
  otherWays,
  type ChangeKind,
  type Verdict,
  type Way,
} from '../../../src/fabric/allowed-changes.ts'
import { swapPreflight } from '../../../src/fabric/deployment/swap.ts'
import { Draft } from '../../../src/fabric/draft.ts'
import type { Refusal } from '../../../src/fabric/refusal.ts'
import { certificate, endpoint, makeRelease, role } from '../../simulation/releases.ts'
import { Lab } from './lab.ts'

// Cloud Services, "How to update a cloud service", "Allowed service changes during an update": the table of what may change
// in place, by a VIP swap, and by delete and redeploy. One test per cell: the rules must do what the table says.

const store = (name: string, sizeBytes: number) => ({ name, sizeBytes, cleanOnRecycle: false })
const web = role('web', {
  instances: 2,
  settings: { colour: 'red' },
  localStorage: [store('cache', 2000)],
  size: 'Small',
  certificates: { site: null },
})
const crunch = role('crunch', { kind: 'worker', endpoints: [], instances: 2 })
const SITE = certificate('site', ['shop.localhost'])
const OTHER = certificate('other', ['shop.localhost'])
const given = (roles: Configuration['roles']): Configuration => ({ roles })
const V1 = makeRelease('shop', '1.0.0', [web, crunch], { upgradeDomainCount: 2 })

interface Case {
  /** The roles and the rest of the package that follows; the same role identities unless `code`. */
  readonly web?: Partial<RoleDefinition>
  readonly roles?: readonly RoleDefinition[]
  readonly service?: Partial<ServiceDefinition>
  readonly code?: boolean
  readonly configuration?: Configuration
}

const CASES: Record<ChangeKind, Case> = {
  platformVersion: { service: { platform: { version: '7.1', trustLevel: 'full' } } },
  trustLevel: { service: { platform: { version: null, trustLevel: 'partial' } } },
  roleAdded: { roles: [web, crunch, role('more', { endpoints: [] })] },
  roleRemoved: { roles: [web] },
  instanceCount: { web: { instances: 3 } },
  settingNames: { web: { settings: { colour: 'red', shape: 'round' } }, code: true },
  settingValues: { configuration: given({ web: { settings: { colour: 'blue' } } }) },
  certificateAdded: { web: { certificates: { site: null, extra: null } }, code: true },
  certificateChanged: { configuration: given({ web: { certificates: { site: { id: OTHER.id } } } }) },
  code: { code: true },
  size: { web: { size: 'Large' }, code: true },
  storageLarger: { web: { localStorage: [store('cache', 3000)] }, code: true },
  storageSmaller: { web: { localStorage: [store('cache', 1000)] }, code: true },
  endpoints: { web: { endpoints: [endpoint('http', 8080), endpoint('more', 9090)] }, code: true },
  endpointSpeech: { web: { endpoints: [endpoint('http', 8080, { protocol: 'tcp' })] }, code: true },
  endpointProxyProtocol: { web: { endpoints: [endpoint('http', 8080, { proxyProtocol: true })] }, code: true },
  runKind: { web: { command: null, upstreams: ['127.0.0.1:1', '127.0.0.1:2'] }, code: true },
  domainCount: { service: { upgradeDomainCount: 3 } },
  versionPath: { service: { requires: '>=1.5.0' }, code: true },
}

function releaseOf({ web: over = {}, roles, service, code = false }: Case): Release {
  const unchanged = code ? { crunch: '1.0.0' } : { web: '1.0.0', crunch: '1.0.0' }
  const after = roles ?? [{ ...web, ...over }, crunch]
  return makeRelease('shop', '2.0.0', after, { upgradeDomainCount: 2, ...service, unchanged })
}

const at = { service: 'shop', slot: 'production' } as const

function deployed(release: Release): Lab {
  const lab = new Lab([V1, release])
  lab.settings.sizes = { Small: { cores: 1, memoryBytes: 1 }, Large: { cores: 2, memoryBytes: 1 } }
  lab.restart()
  for (const node of ['n1', 'n2']) lab.connectAgent(node)
  const site = given({ web: { certificates: { site: { id: SITE.id } } } })
  lab.accept({ kind: 'create', ...at, package: V1.digest, configuration: site, replace: false }, null, [SITE])
  lab.settle()
  return lab
}

const upgrade = (release: Release, force: boolean, configuration?: Configuration): Command => ({
  kind: 'upgrade',
  ...at,
  package: release.digest,
  mode: 'auto',
  force,
  restartUnchanged: false,
  overlap: false,
  ...(configuration === undefined ? {} : { configuration }),
})

/** Makes the change one way; why not, or null, and what was warned of. */
function make(way: Way, one: Case, force: boolean): { refusal: Refusal | null; warnings: string[] } {
  const release = releaseOf(one)
  const lab = deployed(release)
  const configured = one.configuration === undefined ? {} : { configuration: one.configuration }
  const submit = (command: Command): Refusal | null => {
    const { refusal, operation } = lab.input({
      kind: 'command',
      command,
      idempotencyKey: null,
      certificates: [SITE, OTHER],
    })
    lab.settle()
    if (operation !== null) t.equal(lab.operation(operation).status, 'Succeeded', `${way}: it is done`)
    return refusal
  }
  if (way === 'inPlace') {
    const refusal = submit(upgrade(release, force, one.configuration))
    if (refusal === null) {
      // Certificates of a configuration alone are another table: nothing is walked.
      t.equal(lab.deployment().version, one === CASES.certificateChanged ? '1.0.0' : '2.0.0')
      t.equal(lab.deployment().upgrade, null)
    }
    return { refusal, warnings: [] }
  }
  const create = { kind: 'create', service: 'shop', package: release.digest, ...configured } as const
  if (way === 'redeploy') {
    const refusal = submit({ ...create, slot: 'production', replace: true })
    return { refusal, warnings: [] }
  }
  submit({ ...create, slot: 'staging', replace: false })
  const draft = new Draft(lab.state, lab.now)
  const service = draft.services.get('shop')
  const { warnings } = service === undefined ? { warnings: [] } : swapPreflight(draft, service)
  return { refusal: submit({ kind: 'swap', service: 'shop' }), warnings }
}

type Tap = Pick<typeof t, 'equal' | 'match' | 'ok'>

const CHECKS: Record<Verdict, (t: Tap, way: Way, kind: ChangeKind, one: Case) => void> = {
  yes: (t, way, _kind, one) => {
    t.equal(make(way, one, false).refusal, null)
  },
  no: (t, way, kind, one) => {
    const { refusal } = make(way, one, true)
    t.match(refusal, { code: way === 'swap' ? 'endpoint_mismatch' : 'change_not_allowed' })
    if (way === 'inPlace') t.ok(refusal?.message.endsWith(otherWays(kind, way)), `${refusal?.message}`)
  },
  force: (t, way, kind, one) => {
    const { refusal } = make(way, one, false)
    t.match(refusal, { code: 'force_required' })
    t.ok(refusal?.message.includes(ALLOWED_CHANGES[kind].rule), 'it names the rule')
    t.ok(refusal?.message.includes('--force, or deploy it to staging and swap, or delete and redeploy'))
    t.equal(make(way, one, true).refusal, null)
  },
  warns: (t, way, _kind, one) => {
    const { refusal, warnings } = make(way, one, false)
    t.equal(refusal, null)
    t.match(warnings, [/asks for >=1.5.0, and 1.0.0 runs/])
  },
}

for (const kind of Object.keys(CASES) as ChangeKind[]) {
  for (const way of ['inPlace', 'swap', 'redeploy'] as const) {
    const verdict: Verdict = ALLOWED_CHANGES[kind][way]
    t.test(`${ALLOWED_CHANGES[kind].title}, ${way}: ${verdict}`, async t => CHECKS[verdict](t, way, kind, CASES[kind]))
  }
}

t.test('a role under another name is one removed and one added', async t => {
  const renamed = makeRelease('shop', '2.0.0', [web, { ...crunch, name: 'grind' }], {
    upgradeDomainCount: 2,
    unchanged: { web: '1.0.0' },
  })
  const lab = deployed(renamed)
  t.match(lab.refusal(upgrade(renamed, false)).blockers, [
    { code: 'force_required', message: /role crunch: it is removed/ },
  ])
  lab.accept(upgrade(renamed, true))
  lab.settle()
  t.strictSame(lab.stages().split(' ').toSorted(), ['grind0:serving', 'grind1:serving', 'web0:serving', 'web1:serving'])
})

t.test('all that stands in the way is told together', async t => {
  const much = makeRelease('shop', '2.0.0', [{ ...web, localStorage: [], size: 'Large' }], { upgradeDomainCount: 3 })
  const lab = deployed(much)
  t.strictSame(lab.refused(upgrade(much, false)).toSorted(), [
    'change_not_allowed',
    'change_not_allowed',
    'force_required',
    'force_required',
  ])
})

t.test('a size that the fabric does not list is refused everywhere', async t => {
  const huge = makeRelease('shop', '2.0.0', [{ ...web, size: 'Huge' }, crunch], { upgradeDomainCount: 2 })
  const lab = deployed(huge)
  t.strictSame(lab.refused(upgrade(huge, true)), ['unknown_size'])
  t.match(lab.refusal({ kind: 'create', service: 'shop', slot: 'staging', package: huge.digest, replace: false }), {
    code: 'unknown_size',
    message: /role web asks for size "Huge"; this fabric lists Small, Large/,
  })
})
