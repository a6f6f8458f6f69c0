import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { FabricSchema } from './fabric-schema.ts'
import { ConfigurationSchema, ServiceSchema } from './service-schema.ts'
import { UpgradePolicySchema } from './upgrade-policy-schema.ts'

/** File name → text of the JSON Schemas that editors use, made of the very values that check the files. */
export function renderSchemas(): Readonly<Record<string, string>> {
  const render = (schema: object) =>
    `${JSON.stringify({ $schema: 'https://json-schema.org/draft/2020-12/schema', ...schema }, null, 2)}\n`
  return {
    'service.schema.json': render(ServiceSchema),
    'configuration.schema.json': render(ConfigurationSchema),
    'upgrade-policy.schema.json': render(UpgradePolicySchema),
    'vipswap.schema.json': render(FabricSchema),
  }
}

/** Writes them into `directory` (docs/schema). */
export function publishSchemas(directory: string): void {
  mkdirSync(directory, { recursive: true })
  for (const [name, text] of Object.entries(renderSchemas())) writeFileSync(join(directory, name), text)
}

// `node dist/src/model/publish-schemas.js docs/schema` after a change of a schema.
const [, script, target] = process.argv
if (script !== undefined && target !== undefined && import.meta.url === pathToFileURL(script).href)
  publishSchemas(target)
