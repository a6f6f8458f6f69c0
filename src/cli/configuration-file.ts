import { readFile } from 'node:fs/promises'
import { VipswapError, errorMessage, systemCode } from '../core/errors.ts'
import type { ConfigurationText } from '../contracts/api/bodies.ts'
import { beside } from '../core/beside.ts'
import { ConfigurationSchema, type ConfigurationSource } from '../model/service-schema.ts'
import type { SlotValues } from '../model/role-traffic.ts'
import { Compile } from 'typebox/compile'
import { parseConfigurationYaml } from './configuration-yaml.ts'

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
    value = parseConfigurationYaml(text)
  } catch (error) {
    throw new VipswapError('invalid_configuration', `${path}: ${errorMessage(error)}`)
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
        ...(role.settings === undefined ? {} : { settings: texts(path, name, role.settings) }),
        ...(role.slotSettings === undefined ? {} : { slotSettings: slotTexts(path, name, role.slotSettings) }),
        ...(role.certificates === undefined ? {} : { certificates: readPems(path, name, role.certificates) }),
      },
    ] as const
  })
  return { roles: Object.fromEntries(roles) }
}

type Value = string | number | boolean | { readonly file: string }

/** Settings are text for a role process, however they are written; a file's last line end is the editor's, not the value's. */
function texts(path: string, role: string, settings: Readonly<Record<string, Value>>): Record<string, string> {
  const textOf = beside(path)
  return Object.fromEntries(
    Object.entries(settings).map(([name, value]) => {
      if (typeof value !== 'object') return [name, String(value)]
      const text = textOf(value.file)
      if (text === null) {
        throw new VipswapError(
          'invalid_configuration',
          `${path}: role ${role}, setting ${name}: ${value.file} cannot be read; write the path of a file, relative to ${path}`,
        )
      }
      return [name, text.replace(/\r?\n$/, '')]
    }),
  )
}

type SlotSource = NonNullable<ConfigurationSource['roles'][string]['slotSettings']>

function slotTexts(path: string, role: string, source: SlotSource): Record<string, SlotValues> {
  return Object.fromEntries(Object.entries(source).map(([name, values]) => [name, texts(path, role, values)]))
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
