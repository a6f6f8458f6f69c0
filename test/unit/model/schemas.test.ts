import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import t from 'tap'
import { Check } from 'typebox/value'
import { checkSchema } from '../../../src/model/check-schema.ts'
import { FabricSchema } from '../../../src/model/fabric-schema.ts'
import { renderSchemas } from '../../../src/model/publish-schemas.ts'
import { ConfigurationSchema, ServiceSchema } from '../../../src/model/service-schema.ts'
import { parseSource } from '../../../src/model/source-file.ts'

t.test('the published schemas are those that check the files', async t => {
  for (const [name, text] of Object.entries(renderSchemas())) {
    const path = new URL(`../../../../docs/schema/${name}`, import.meta.url)
    const remedy = 'run `npm run build && node dist/src/model/publish-schemas.js docs/schema`'
    t.strictSame(JSON.parse(readFileSync(path, 'utf8')), JSON.parse(text), `${name}: if not, ${remedy}`)
  }
})

t.test('our reader and TypeBox agree on what is valid', async () => {
  const word = fc.constantFrom('web', 'http', 'a b', '9', '/x', '30s', '1MiB', '10.0.0.5', 'host:80', '')
  const leaf = fc.oneof(word, fc.integer({ min: -2, max: 70_000 }), fc.boolean(), fc.constant(1.5), fc.constant(null))
  const keysOf = (schema: object): string[] =>
    Object.entries(schema).flatMap(([key, value]) => {
      const inner = typeof value === 'object' && value !== null ? keysOf(value) : []
      return key === 'properties' ? [...Object.keys(value), ...inner] : inner
    })
  const tree = (keys: string[]) =>
    fc.letrec<{ node: unknown }>(tie => ({
      node: fc.oneof(
        { maxDepth: 5, withCrossShrink: true },
        leaf,
        fc.array(tie('node'), { maxLength: 3 }),
        fc.dictionary(fc.constantFrom(...keys, 'web', '9x'), tie('node'), { maxKeys: 4 }),
      ),
    })).node
  const base = { name: 'a', version: '1', roles: { web: { command: 'x', endpoints: { http: { port: 80 } } } } }
  for (const schema of [ServiceSchema, ConfigurationSchema, FabricSchema]) {
    const keys = [...new Set(keysOf(schema))]
    // Random trees are hardly ever valid; a sound one with a random part in it often is.
    const near = fc.tuple(fc.constantFrom(...keys), fc.constantFrom(...keys), tree(keys)).map(([top, key, part]) => ({
      ...base,
      [top]: part,
      roles: { web: { ...base.roles.web, [key]: part } },
    }))
    fc.assert(
      fc.property(fc.oneof(near, tree(keys)), value => {
        const { source } = parseSource('x.yaml', JSON.stringify(value))
        return (checkSchema(source, schema).faults.length === 0) === Check(schema, value)
      }),
      { numRuns: 300 },
    )
  }
})
