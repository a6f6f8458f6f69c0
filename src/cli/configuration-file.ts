import { readFile } from 'node:fs/promises'
import { parse } from 'yaml'
import { VipswapError, errorMessage, systemCode } from '../core/errors.ts'
import type { ConfigurationBody } from '../contracts/api.ts'
import { ConfigurationSchema } from '../model/service-schema.ts'
import { Compile } from 'typebox/compile'

/** Reads a `service.config.yaml` (or JSON). Rejects with `invalid_configuration`. */
export async function readConfigurationFile(path: string): Promise<ConfigurationBody['configuration']> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new VipswapError('invalid_configuration', `${path} cannot be read (${systemCode(error) ?? 'unknown'})`)
  })
  let value: unknown
  try {
    value = parse(text)
  } catch (error) {
    throw new VipswapError('invalid_configuration', `${path}: ${errorMessage(error).split('\n')[0] ?? ''}`)
  }
  const check = Compile(ConfigurationSchema)
  if (!check.Check(value)) {
    const [fault] = check.Errors(value)
    throw new VipswapError(
      'invalid_configuration',
      `${path}: ${fault?.instancePath ?? ''} ${fault?.message ?? 'is wrong'}; write roles: { NAME: { instances, settings } }`,
    )
  }
  const roles = Object.entries(value.roles).map(([name, role]) => {
    const settings = role.settings === undefined ? {} : { settings: texts(role.settings) }
    return [name, { ...(role.instances === undefined ? {} : { instances: role.instances }), ...settings }] as const
  })
  return { roles: Object.fromEntries(roles) }
}

/** Settings are text for a role process, however they are written. */
function texts(settings: Readonly<Record<string, string | number | boolean>>): Record<string, string> {
  return Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, String(value)]))
}
