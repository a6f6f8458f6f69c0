import { readFileSync } from 'node:fs'
import t from 'tap'
import { endingOf } from '../../../proxy/access-log/endings.ts'
import { metricsOver } from '../../support/metrics.ts'
import { DEFAULT_LIMITS, DEFAULT_POLICY } from '../../../src/contracts/routing.ts'
import { emptyState } from '../../../src/fabric/state.ts'
import { BROKEN_CAUSES } from '../../../src/model/ledger-row.ts'

const DOCS = readFileSync('docs/metrics.md', 'utf8')

t.test('docs/metrics.md lists exactly the metrics there are, with their types and labels', async t => {
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
  const metrics = registry.getMetricsAsArray() as unknown as { name: string; labelNames: string[] }[]
  const types = new Map(
    [...(await registry.metrics()).matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name, type]),
  )
  const actual = metrics.map(({ name, labelNames }) => [
    name,
    types.get(name),
    labelNames.filter(label => label !== 'le').join(', ') || 'none',
  ])
  const rows = [...DOCS.matchAll(/^\| `(vipswap_\w+)` \| (\w+) \| ([^|]+) \|/gm)].map(([, ...row]) => row)
  t.strictSame(rows, actual)
})

t.test('every letter of an ending code is documented', async t => {
  const letters = new Set([...DOCS.matchAll(/^\| `(.)` \|/gm)].map(([, letter]) => letter))
  for (const outcome of ['answered', 'refused', 'client-gone', ...BROKEN_CAUSES] as const) {
    for (const phase of ['head', 'waiting', 'connecting', 'sending', 'answering', 'tunnel'] as const) {
      for (const letter of endingOf(outcome, phase, 500, 'drain')) t.ok(letters.has(letter), letter)
    }
  }
})
