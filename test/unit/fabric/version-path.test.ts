import t from 'tap'
import type { Command, UpgradeCommand } from '../../../src/contracts/command.ts'
import { swapPreflight } from '../../../src/fabric/deployment/swap.ts'
import { Draft } from '../../../src/fabric/draft.ts'
import { lowestVersion } from '../../../src/fabric/version-path.ts'
import type { ServiceDefinition } from '../../../src/model/definition.ts'
import { makeRelease, role } from '../../simulation/releases.ts'
import { Lab } from './lab.ts'

const web = role('web', { instances: 2 })
const crunch = role('crunch', { kind: 'worker', endpoints: [], instances: 1 })
const of = (version: string, over: Partial<ServiceDefinition> & { unchanged?: Record<string, string> } = {}) =>
  makeRelease('shop', version, [web, crunch], { upgradeDomainCount: 2, ...over })
const V10 = of('1.0.0')
const V15 = of('1.5.0', { unchanged: { crunch: '1.0.0' } })
const V18 = of('1.8.0', { requires: '>=1.5.0' })
const V20 = of('2.0.0', { requires: '>=1.8.0' })
const V30 = of('3.0.0', { requires: '>=2.5.0', breaksData: true })

const at = { service: 'shop', slot: 'production' } as const
const to = (release: { digest: string }, over: Partial<UpgradeCommand> = {}): UpgradeCommand => ({
  kind: 'upgrade',
  ...at,
  package: release.digest,
  mode: 'auto',
  force: false,
  restartUnchanged: false,
  overlap: false,
  ...over,
})

function running(releases = [V10, V15, V18, V20, V30]): Lab {
  const lab = new Lab(releases)
  lab.accept({ kind: 'create', ...at, package: releases[0]?.digest ?? '', replace: false })
  lab.settle()
  return lab
}

t.test('a version too far ahead is refused, and the steps between are named', async t => {
  const lab = running()
  t.equal(
    lab.refusal(to(V20)).message,
    'version 2.0.0 asks for >=1.8.0, and 1.0.0 runs: upgrade to 1.5.0, then 1.8.0 first; or deploy it to staging and swap, or delete and redeploy',
  )
  t.match(lab.refusal(to(V30)).message, /a version that is >=2.5.0 \(no uploaded package leads there\) first/)
  for (const release of [V15, V18, V20]) {
    lab.accept(to(release))
    lab.settle()
  }
  t.equal(lab.deployment().version, '2.0.0')
})

t.test('a role that a later package left as it was counts as of that package', async t => {
  const lab = running()
  lab.accept(to(V15))
  lab.settle()
  t.equal(lab.versions(), '1.5.0 1.5.0 1.0.0')
  lab.accept(to(V18))
  lab.settle()
  t.equal(lab.deployment().version, '1.8.0')
})

t.test('one role left behind holds the others back', async t => {
  const lab = running([V10, of('1.5.0'), V18])
  lab.accept(to(of('1.5.0'), { role: 'web' }))
  lab.settle()
  t.match(lab.refusal(to(V18)).message, /asks for >=1.5.0, and 1.0.0 runs/)
})

t.test('half-way through an upgrade the lowest version that any instance runs counts', async t => {
  const lab = running([V10, of('1.5.0')])
  const lowest = (): string | null => {
    const draft = new Draft(lab.state, lab.now)
    return lowestVersion(draft, lab.deployment(), draft.rolesOf('d1'))
  }
  lab.accept(to(of('1.5.0'), { mode: 'manual' }))
  const seen: (string | null)[] = []
  for (const domain of [0, 1]) {
    lab.settle()
    seen.push(lowest())
    lab.accept({ kind: 'walk', ...at, domain })
  }
  lab.settle()
  t.strictSame([...seen, lowest()], ['1.0.0', '1.0.0', '1.5.0'])
})

t.test('a swap only warns of the path, and of data both ways', async t => {
  const lab = running()
  lab.accept({ kind: 'create', service: 'shop', slot: 'staging', package: V30.digest, replace: false })
  lab.settle()
  const warnings = (): string[] => {
    const draft = new Draft(lab.state, lab.now)
    const service = draft.services.get('shop')
    return service === undefined ? [] : swapPreflight(draft, service).warnings
  }
  t.match(warnings(), [/asks for >=2.5.0, and 1.0.0 runs/, /3.0.0 breaks data: what it writes 1.0.0 cannot read/])
  lab.accept({ kind: 'swap', service: 'shop' })
  lab.settle()
  t.match(warnings(), [/^3.0.0 breaks data: 1.0.0 may not be able to read what it wrote$/], 'swap back')
})

t.test('a rollback from a version that breaks data says so, in an event and in its receipt', async t => {
  const breaking = of('1.6.0', { breaksData: true })
  const lab = running([V10, breaking])
  lab.accept(to(breaking, { mode: 'manual' }))
  lab.settle()
  const back: Command = { kind: 'rollback', ...at }
  const operation = lab.operation(lab.accept(back))
  t.match(operation.remarks, [/1.6.0 breaks data: 1.0.0 may not be able to read/])
  t.match(
    lab.events.find(({ kind }) => kind === 'warning'),
    { message: /1.6.0 breaks data/, operation: operation.id },
  )
})

t.test('a prerelease counts as its version, what is no version at its operator’s word', async t => {
  const next = of('1.6.0', { requires: '>=1.4.0' })
  const lab = running([of('1.5.0-rc.1'), next])
  lab.accept(to(next))
  const odd = running([of('blue'), V18])
  odd.accept(to(V18))
  t.match([lab.deployment().upgrade, odd.deployment().upgrade], [{ phase: 'preparing' }, { phase: 'preparing' }])
})
