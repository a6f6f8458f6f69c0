import { readFile } from 'node:fs/promises'
import { parse } from 'yaml'
import { VipswapError, errorMessage, systemCode } from '../core/errors.ts'
import type { ConfigurationText } from '../contracts/api/bodies.ts'
import { beside } from '../core/beside.ts'
import { ConfigurationSchema, type ConfigurationSource } from '../model/service-schema.ts'
import { resolveSlotValues } from '../model/role-traffic.ts'
import { Compile } from 'typebox/compile'

/**
 * Reads a `service.config.yaml` (or JSON). Certificates become the PEM text of the files it names, relative to itself.
 * Rejects with `invalid_configuration`.
 */
export async function readConfigurationFile(path: string): Promise<ConfigurationText> {
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
      `${path}: ${fault?.instancePath ?? ''} ${fault?.message ?? 'is wrong'}; write roles: { NAME: { instances, settings, slotSettings, certificates } }`,
    )
  }
  const roles = Object.entries(value.roles).map(([name, role]) => {
    return [
      name,
      {
        ...(role.instances === undefined ? {} : { instances: role.instances }),
        ...(role.settings === undefined ? {} : { settings: texts(role.settings) }),
        ...(role.slotSettings === undefined ? {} : { slotSettings: resolveSlotValues(role.slotSettings) }),
        ...(role.certificates === undefined ? {} : { certificates: readPems(path, name, role.certificates) }),
      },
    ] as const
  })
  return { roles: Object.fromEntries(roles) }
}

/** Settings are text for a role process, however they are written. */
function texts(settings: Readonly<Record<string, string | number | boolean>>): Record<string, string> {
  return Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, String(value)]))
}

type Files = NonNullable<ConfigurationSource['roles'][string]['certificates']>

function readPems(path: string, role: string, certificates: Files): Record<string, string> {
  const textOf = beside(path)
  return Object.fromEntries(
    Object.entries(certificates).map(([name, source]) => {
      const files = typeof source === 'string' ? [source] : [source.cert, source.key]
      const texts = files.map(file => {
        const text = textOf(file)
        if (text !== null) return text
        throw new VipswapError(
          'invalid_configuration',
          `${path}: role ${role}, certificate ${name}: ${file.includes('-----') ? 'PEM text is no path' : `${file} cannot be read`}; write the path of a PEM file, relative to ${path}`,
        )
      })
      return [name, texts.join('\n')]
    }),
  )
}
