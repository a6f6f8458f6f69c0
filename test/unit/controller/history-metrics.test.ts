import t from 'tap'
import type { Command } from '../../../src/contracts/command.ts'
import type { Applied } from '../../../src/fabric/apply.ts'
import type { Input } from '../../../src/fabric/input.ts'
import { metricsOver } from '../../support/metrics.ts'
import { parsePrometheus } from '../../support/prometheus.ts'
import { Lab } from '../fabric/lab.ts'
import { AT, V1, V2, report, upgradeTo } from '../fabric/upgrade-lab.ts'

/** A fabric whose metrics hear of every commit. */
class Measured extends Lab {
  readonly #metrics = metricsOver(() => this.state)
  #told = 0

  constructor() {
    super([V1, V2])
  }

  override input(input: Input): Applied {
    const applied = super.input(input)
    // The constructor of the fabric makes its first inputs before there is anybody to tell.
    if (#told in this) {
      this.#metrics.clock.ms = this.ms
      this.#metrics.commit(this.state, this.events.slice(this.#told))
      this.#told = this.events.length
    }
    return applied
  }

  /** The value of each series, `name{labels}`, without those that are 0. */
  async series(name: string): Promise<Record<string, number>> {
    const family = parsePrometheus(await this.#metrics.registry.metrics()).get(name)
    const samples = (family?.samples ?? []).filter(({ value, name: of }) => value !== 0 && !of.endsWith('_bucket'))
    return Object.fromEntries(
      samples.map(({ name: of, labels: { component: _same, ...labels }, value }) => [
        [of === name ? '' : of.slice(name.length + 1), ...Object.values(labels)].filter(word => word !== '').join(' '),
        value,
      ]),
    )
  }
}

const create = (slot: 'production' | 'staging'): Command => ({
  kind: 'create',
  service: 'shop',
  slot,
  package: V1.digest,
  replace: false,
})

function deployed(): Measured {
  const lab = new Measured()
  lab.accept(create('production'))
  lab.settle()
  return lab
}

t.test('swaps are counted by how they ended, with the time of their switch', async t => {
  const lab = deployed()
  t.same(await lab.series('vipswap_swaps_total'), {})
  lab.accept(create('staging'))
  lab.settle()
  lab.accept({ kind: 'swap', service: 'shop' })
  lab.settle()
  t.same(await lab.series('vipswap_swaps_total'), { Succeeded: 1 })
  t.match(await lab.series('vipswap_swap_switch_seconds'), { count: 1 })
  t.same(await lab.series('vipswap_operations_ended_total'), { 'create Succeeded': 2, 'swap Succeeded': 1 })
  const last = await lab.series('vipswap_swap_last_success_timestamp_seconds')
  t.equal(last['shop'], lab.now.wall / 1000)
  t.same(await lab.series('vipswap_deployment_info'), {
    'shop production d2 1.0.0': 1,
    'shop staging d1 1.0.0': 1,
  })
})

t.test('an upgrade counts its domains and drains; while it walks, /metrics shows where it is', async t => {
  const lab = deployed()
  lab.accept(upgradeTo('unmonitored-manual'))
  lab.settle()
  t.same(await lab.series('vipswap_upgrade_info'), { 'shop production unmonitored-manual forward 1.0.0 2.0.0': 1 })
  t.same(await lab.series('vipswap_upgrade_domain_state'), {
    'shop production 0 done': 1,
    'shop production 1 pending': 1,
    'shop production 2 pending': 1,
  })
  for (let walk = 0; walk < 2; walk++) {
    lab.accept({ kind: 'walk', ...AT })
    lab.settle()
  }
  t.equal(lab.versions(), '2.0.0 2.0.0 2.0.0')
  t.same(await lab.series('vipswap_upgrade_info'), {}, 'it is over')
  t.same(await lab.series('vipswap_upgrade_domains_total'), { forward: 3 })
  t.match(await lab.series('vipswap_upgrade_domain_duration_seconds'), { count: 3 })
  t.same(await lab.series('vipswap_drains_total'), { empty: 3 })
  t.same(await lab.series('vipswap_rollbacks_total'), {})
  t.same(await lab.series('vipswap_config_last_apply_successful'), { 'shop production': 1 })
})

t.test('domains that are walked together are counted one by one', async t => {
  const lab = deployed()
  lab.accept(upgradeTo('simultaneous'))
  lab.settle()
  t.equal(lab.versions(), '2.0.0 2.0.0 2.0.0')
  t.same(await lab.series('vipswap_upgrade_domains_total'), { forward: 3 })
  t.match(await lab.series('vipswap_upgrade_domain_duration_seconds'), { count: 3 })
})

t.test('a rollback is counted by its cause: an operator, or what the upgrade failed by', async t => {
  const asked = deployed()
  asked.accept(upgradeTo('unmonitored-manual'))
  asked.settle()
  asked.accept({ kind: 'rollback', ...AT })
  asked.settle()
  t.equal(asked.versions(), '1.0.0 1.0.0 1.0.0')
  t.same(await asked.series('vipswap_rollbacks_total'), { Interrupted: 1 })
  t.same(await asked.series('vipswap_upgrades_total'), { RolledBack: 1 })
  t.same(await asked.series('vipswap_upgrade_domains_total'), { forward: 1, back: 1 })

  const failed = deployed()
  failed.accept(upgradeTo('monitored', { healthCheckRetryTimeout: '1s', healthCheckInterval: '100ms' }))
  failed.settle()
  report(failed, 'Error')
  for (let turn = 0; turn < 40 && failed.deployment().upgrade?.direction !== 'back'; turn++) {
    failed.ms += 100
    failed.settle()
  }
  failed.settle()
  t.same(await failed.series('vipswap_rollbacks_total'), { HealthCheck: 1 })
  t.same(await failed.series('vipswap_config_last_apply_successful'), {}, 'the last one was not applied')
  t.match(await failed.series('vipswap_deployment_health_state'), { 'shop production Error': 1 })
})

t.test('a drain that its deadline ends is told from one that became empty', async t => {
  const lab = deployed()
  const target = lab.target('web_IN_0')
  lab.inFlight = { [target?.key ?? '']: 1 }
  lab.accept({ kind: 'reboot', ...AT, instance: 'web_IN_0' })
  lab.settle()
  t.same(await lab.series('vipswap_drains_total'), {}, 'a request is still open')
  for (let turn = 0; turn < 50 && lab.instance('web_IN_0').stage === 'draining'; turn++) {
    lab.ms += 1000
    lab.settle()
  }
  t.same(await lab.series('vipswap_drains_total'), { deadline: 1 })
})
