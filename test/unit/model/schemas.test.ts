import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import t from 'tap'
import { Check } from 'typebox/value'
import { compileValidator } from '../../../src/admin/validation.ts'
import { PauseBody } from '../../../src/contracts/api/pause.ts'
import { checkSchema, type SchemaNode } from '../../../src/model/check-schema.ts'
import { FabricSchema } from '../../../src/model/fabric-schema.ts'
import { renderSchemas } from '../../../src/model/publish-schemas.ts'
import { ConfigurationSchema, ServiceSchema } from '../../../src/model/service-schema.ts'
import { UpgradePolicySchema } from '../../../src/model/upgrade-policy-schema.ts'
import { parseSource } from '../../../src/model/source-file.ts'

t.test('the published schemas are those that check the files', async t => {
  for (const [name, text] of Object.entries(renderSchemas())) {
    const path = new URL(`../../../../docs/schema/${name}`, import.meta.url)
    const remedy = 'run `npm run build && node dist/src/model/publish-schemas.js docs/schema`'
    t.strictSame(JSON.parse(readFileSync(path, 'utf8')), JSON.parse(text), `${name}: if not, ${remedy}`)
  }
})

const FILES = [
  { schema: ServiceSchema, base: { name: 'a', version: '1', roles: { web: { command: 'x' } } } },
  { schema: ConfigurationSchema, base: { roles: { web: {} } } },
  { schema: FabricSchema, base: {} },
  { schema: UpgradePolicySchema, base: {} },
]

const NUMBERS = [
  -1, 0, 0.009, 0.01, 1, 1.5, 2, 20, 100, 101, 256, 257, 4096, 4097, 10_000, 10_001, 65_535, 65_536, 1_000_000,
  1_000_001, 10_000_000, 10_000_001,
]
const TEXTS = [
  '',
  'web',
  'a b',
  '9',
  '/x',
  'x/',
  '30s',
  '24d',
  '23d25h',
  '30',
  '1MiB',
  '10.0.0.5',
  '10.0.0.0/8',
  '[::1]:+1',
  'host:80',
  'http',
  'none',
]
const OTHERS = [true, null, [], ['x'], [1], [['x']], {}, { web: 'x' }, { 'a b': 'x' }, { web: {} }, { cores: 1 }]
const CANDIDATES: unknown[] = [...NUMBERS, ...TEXTS, ...OTHERS]

t.test('our reader and TypeBox agree at every place of every schema', async t => {
  for (const { schema, base } of FILES) {
    let agreed = 0
    for (const path of placesOf(schema)) {
      for (const candidate of CANDIDATES) {
        const value = withValue(base, path, candidate)
        if (accepts(schema, value) === Check(schema, value)) agreed++
        else t.fail(`they differ about ${JSON.stringify(value)}`)
      }
    }
    t.ok(agreed > 100, `${agreed} values compared`)
  }
})

t.test('a duration beyond what a timer can wait is refused, at its place and in words', async t => {
  const role = (stopTimeout: string) => ({ name: 'a', version: '1', roles: { web: { command: 'x', stopTimeout } } })
  for (const text of ['24d', '576h', '23d24h']) t.ok(Check(ServiceSchema, role(text)), text)
  for (const text of ['24d1ms', '30d', '577h', '9999999999999d']) {
    t.notOk(Check(ServiceSchema, role(text)), text)
    const { faults } = checkSchema(parseSource('x.yaml', JSON.stringify(role(text))).source, ServiceSchema)
    t.match(faults, [{ path: 'roles.web.stopTimeout', expected: 'write a duration of at most 24d' }])
    t.equal(faults.length, 1)
  }
  const asked = compileValidator({ schema: PauseBody, method: 'POST', url: '/', httpPart: 'body' })({ timeout: '25d' })
  t.match(asked, { error: { code: 'invalid_request', message: /^body: timeout must be a duration of at most 24d/ } })
})

t.test('our reader and TypeBox agree on anything else', async () => {
  for (const { schema } of FILES) {
    const keys = placesOf(schema).flat()
    const { node } = fc.letrec<{ node: unknown }>(tie => ({
      node: fc.oneof(
        { maxDepth: 5, withCrossShrink: true },
        fc.constantFrom(...CANDIDATES),
        fc.array(tie('node'), { maxLength: 3 }),
        fc.dictionary(fc.constantFrom(...keys, '9x'), tie('node'), { maxKeys: 4 }),
      ),
    }))
    fc.assert(
      fc.property(node, value => accepts(schema, value) === Check(schema, value)),
      { numRuns: 200 },
    )
  }
})

function accepts(schema: SchemaNode, value: unknown): boolean {
  const { source } = parseSource('x.yaml', JSON.stringify(value))
  return checkSchema(source, schema).faults.length === 0
}

/** Every path that a file of this schema may have; `web` and `0` stand for names and positions. */
function placesOf(schema: SchemaNode): string[][] {
  const { properties = {}, patternProperties = {}, items, anyOf = [] } = schema
  const inner: [string, SchemaNode][] = [
    ...Object.entries(properties),
    ...Object.values(patternProperties).map((one): [string, SchemaNode] => ['web', one]),
    ...(items === undefined ? [] : [['0', items] satisfies [string, SchemaNode]]),
  ]
  return [
    ...inner.flatMap(([key, one]) => [[key], ...placesOf(one).map(rest => [key, ...rest])]),
    ...anyOf.flatMap(placesOf),
  ]
}

function withValue(base: unknown, path: readonly string[], value: unknown): unknown {
  const [key, ...rest] = path
  if (key === undefined) return value
  const inside: Record<string, unknown> = typeof base === 'object' && base !== null ? { ...base } : {}
  return key === '0' ? [withValue(undefined, rest, value)] : { ...inside, [key]: withValue(inside[key], rest, value) }
}
