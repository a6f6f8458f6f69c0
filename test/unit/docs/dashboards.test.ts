import t from 'tap'
import { DEFAULT_LIMITS, DEFAULT_POLICY } from '../../../src/contracts/routing.ts'
import { emptyState } from '../../../src/fabric/state.ts'
import { shownExpressions } from '../../support/dashboards.ts'
import { metricsOver } from '../../support/metrics.ts'
import { readPromql } from '../../support/promql.ts'

/** The labels of every metric there is; of a histogram, of its series. */
function labelsByMetric(): Map<string, readonly string[]> {
  const settings = {
    vips: null,
    services: {},
    limits: DEFAULT_LIMITS,
    endpointDefaults: { maxBodyBytes: null, ejection: DEFAULT_POLICY.ejection },
    sizes: {},
    quota: null,
    nodeTimeoutMs: 300_000,
    portRange: { from: 1, to: 2 },
  }
  const { registry } = metricsOver(() => emptyState('f', settings))
  // The labels are known to each metric, and to nobody who only sees its type.
  const metrics = registry.getMetricsAsArray() as unknown as { name: string; labelNames: string[]; buckets?: unknown }[]
  return new Map(
    metrics.flatMap(({ name, labelNames, buckets }): [string, readonly string[]][] =>
      buckets === undefined
        ? [[name, labelNames]]
        : ['bucket', 'sum', 'count'].map(part => [`${name}_${part}`, [...labelNames, 'le']]),
    ),
  )
}

t.test('every expression of the dashboard and the alerts is PromQL over metrics and labels that there are', async t => {
  const known = labelsByMetric()
  const expressions = shownExpressions()
  t.ok(expressions.length > 30, `${expressions.length} expressions`)
  for (const { where, expression, labels } of expressions) {
    const { selected, grouped } = readPromql(expression)
    t.not(selected.length, 0, `${where} selects something`)
    for (const { metric, matched } of selected) {
      t.ok(known.has(metric), `${where}: ${metric}`)
      for (const label of matched) t.ok(known.get(metric)?.includes(label), `${where}: ${metric} has ${label}`)
      for (const label of grouped)
        t.ok(known.get(metric)?.includes(label), `${where}: ${metric} is grouped by ${label}`)
    }
    const left = grouped.length > 0 ? grouped : selected.flatMap(({ metric }) => known.get(metric) ?? [])
    for (const label of labels.filter(each => each !== 'value')) t.ok(left.includes(label), `${where} shows ${label}`)
  }
})

t.test('what is no PromQL, and a metric by another name, is found', async t => {
  t.throws(() => readPromql('sum by ('), /not PromQL/)
  t.strictSame(readPromql('sum by (a, le) (rate(m_bucket{b="c", d=~".+"}[1m])) / on (a) n'), {
    selected: [
      { metric: 'm_bucket', matched: ['b', 'd'] },
      { metric: 'n', matched: [] },
    ],
    grouped: ['a', 'le', 'a'],
  })
  t.notOk(labelsByMetric().has('vipswap_requests'))
})
