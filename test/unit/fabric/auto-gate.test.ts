import t from 'tap'
import { makeRelease, role } from '../../simulation/releases.ts'
import type { UpgradeMode } from '../../../src/model/states.ts'
import type { UpgradePolicySource } from '../../../src/model/upgrade-policy-schema.ts'
import { projectWakeIn } from '../../../src/fabric/wake.ts'
import { AT, deployed, running, upgradeTo } from './upgrade-lab.ts'

const web = role('web', { instances: 4 })
const [ONE, TWO] = ['1.0.0', '2.0.0'].map(version =>
  makeRelease('shop', version, [web], { upgradeDomainCount: 2 }),
) as [ReturnType<typeof makeRelease>, ReturnType<typeof makeRelease>]

function lab(ill: Record<number, 'cycling' | 'failed'>) {
  const made = deployed([ONE, TWO])
  made.seen = ({ index, spec }) => {
    const state = spec.version === '2.0.0' ? ill[index] : undefined
    return state === undefined ? {} : { state, detail: 'no luck' }
  }
  return made
}

t.test('below its share a walk is stuck for ever, says so once with instances and reasons, and recovers', async t => {
  const made = lab({ 0: 'cycling' })
  made.accept(upgradeTo('auto', {}, TWO.digest))
  made.settle()
  made.flow(3_600_000)
  t.strictSame(running(made).stuck, ['web_IN_0'])
  const said = made.events.filter(({ kind }) => kind === 'upgrade-stuck')
  t.equal(said.length, 1)
  t.match(said[0]?.message, /web_IN_0 \(cycling: no luck\)/)
  t.equal(projectWakeIn(made.state, made.now), 5000, 're-checked every 5 s')
  const before = made.state.fabric.revision
  made.pass(5000)
  t.equal(made.state.fabric.revision, before, 'looking again journals nothing')
  made.seen = () => ({})
  made.settle()
  t.equal(made.versions(), '2.0.0 2.0.0 2.0.0 2.0.0')
  t.equal(made.events.filter(({ kind }) => kind === 'upgrade-unstuck').length, 1)
})

t.test("a minimum share of each role's instances on the new version", async t => {
  const table = [
    { minReadyPercent: 50, ill: { 0: 'cycling' }, goes: true },
    { minReadyPercent: 51, ill: { 0: 'cycling' }, goes: false },
    { minReadyPercent: 50, ill: { 0: 'cycling', 2: 'cycling' }, goes: false },
    { minReadyPercent: 0, ill: { 0: 'cycling', 2: 'cycling' }, goes: true },
  ] as const
  for (const { minReadyPercent, ill, goes } of table) {
    const made = lab(ill)
    made.accept(upgradeTo('auto', { minReadyPercent }, TWO.digest))
    made.settle()
    t.equal(made.deployment().upgrade === null, goes, JSON.stringify({ minReadyPercent, ill }))
  }
})

t.test('onStartTimeout continue: what did not start in time is left out, as Cloud Services does', async t => {
  const given = lab({ 0: 'failed' })
  given.accept(upgradeTo('auto', { onStartTimeout: 'continue' }, TWO.digest))
  given.settle()
  t.equal(given.deployment().upgrade, null, 'its agent gave it up')

  // One in a crash loop has until its start time-out (30 minutes).
  const looping = lab({ 0: 'cycling' })
  looping.accept(upgradeTo('auto', { onStartTimeout: 'continue' }, TWO.digest))
  looping.settle()
  const { startTimeoutMs } = web
  looping.flow(startTimeoutMs - 1)
  t.equal(running(looping).position, 0)
  looping.flow(5000)
  looping.settle()
  t.equal(looping.deployment().upgrade, null)

  const waiting = lab({ 0: 'failed' })
  waiting.accept(upgradeTo('auto', {}, TWO.digest))
  waiting.settle()
  waiting.flow(startTimeoutMs * 2)
  t.equal(running(waiting).position, 0, 'by default it counts as unhealthy')
  waiting.accept({ kind: 'rollback', ...AT })
  waiting.settle()
  t.equal(waiting.versions(), '1.0.0 1.0.0 1.0.0 1.0.0')
})

/** While another of its domain starts web_IN_0 is ready, then sick for ever. */
function soonSick(mode: UpgradeMode, sick: 'cycling' | 'unresponsive', policy: UpgradePolicySource = {}) {
  const made = lab({})
  made.seen = ({ index, spec }) => (spec.version === '2.0.0' && index === 2 ? { state: 'starting' } : {})
  made.accept(upgradeTo(mode, policy, TWO.digest))
  made.settle()
  made.seen = ({ index, spec }) => {
    if (spec.version !== '2.0.0' || index > 2) return {}
    return { state: index === 2 ? 'starting' : sick }
  }
  made.settle()
  t.equal(running(made).phase, 'walking', 'the other one still starts')
  made.seen = ({ index, spec }) => (spec.version === '2.0.0' && index === 0 ? { state: sick } : {})
  made.settle()
  return made
}

for (const sick of ['cycling', 'unresponsive'] as const) {
  t.test(`what was ready once and is ${sick} before its domain is there is for the gate to judge`, async t => {
    const auto = soonSick('auto', sick)
    t.strictSame([running(auto).phase, running(auto).stuck], ['verifying', ['web_IN_0']])
    auto.seen = () => ({})
    auto.settle()
    t.equal(auto.versions(), '2.0.0 2.0.0 2.0.0 2.0.0')

    const half = soonSick('auto', sick, { minReadyPercent: 50 })
    // A floor counts on what is only unresponsive, and not on a crash loop.
    t.strictSame(
      [half.versions(), half.deployment().upgrade?.belowFloor],
      sick === 'cycling' ? ['2.0.0 2.0.0 2.0.0 2.0.0', undefined] : ['2.0.0 1.0.0 2.0.0 1.0.0', true],
      'half of them is enough for the gate',
    )

    const monitored = soonSick('monitored', sick, { healthCheckRetryTimeout: '20s' })
    monitored.flow(60_000)
    monitored.settle()
    t.match(monitored.events.find(({ kind }) => kind === 'upgrade-failed')?.message, /^HealthCheck: .*web_IN_0/)
    t.equal(monitored.versions(), '1.0.0 1.0.0 1.0.0 1.0.0')

    const manual = soonSick('monitored', sick, { healthCheckRetryTimeout: '20s', failureAction: 'manual' })
    manual.flow(60_000)
    t.equal(running(manual).failure?.reason, 'HealthCheck')
    const walk = manual.accept({ kind: 'walk', ...AT })
    manual.settle()
    t.equal(manual.operation(walk).status, 'Succeeded', 'the domain walked again comes to its end')

    const unmonitored = soonSick('unmonitored-auto', sick)
    t.equal(unmonitored.deployment().upgrade, null)
  })
}

t.test('one that was ready while no controller listened and is unresponsive since has come, too', async t => {
  const made = lab({})
  made.seen = ({ index, spec }) => (spec.version === '2.0.0' && index === 0 ? { state: 'unresponsive' } : {})
  made.accept(upgradeTo('auto', {}, TWO.digest))
  made.settle()
  t.strictSame([running(made).phase, running(made).stuck], ['verifying', ['web_IN_0']])
  t.equal(made.target('web_IN_0'), undefined, 'and nothing is sent to it')
})
