import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Compile } from 'typebox/compile'
import { parse } from 'yaml'
import { VipswapError, errorMessage } from '../core/errors.ts'
import { ServiceSchema } from '../model/service-schema.ts'

export interface CheckedPackage {
  readonly name: string
  readonly version: string
  readonly roles: readonly string[]
  readonly warnings: readonly string[]
}

const NAMES = ['service.yaml', 'service.yml', 'service.json']

/** Reads and checks a package's definition. Rejects with `invalid_definition`, `details.faults` holding every fault. */
export async function checkPackage(directory: string): Promise<CheckedPackage> {
  for (const name of NAMES) {
    const file = join(directory, name)
    const text = await readFile(file, 'utf8').catch(() => null)
    if (text !== null) return check(file, text)
  }
  throw new VipswapError('invalid_package', `${directory} has no service.yaml; it must stand at the package's root`)
}

function check(file: string, text: string): CheckedPackage {
  let value: unknown
  try {
    value = parse(text)
  } catch (error) {
    throw invalid([`${file}: ${errorMessage(error).split('\n')[0] ?? ''}`])
  }
  const schema = Compile(ServiceSchema)
  if (schema.Check(value))
    return { name: value.name, version: value.version, roles: Object.keys(value.roles), warnings: [] }
  throw invalid(schema.Errors(value).map(fault => `${file}: ${fault.instancePath || '/'} ${fault.message}`))
}

function invalid(faults: readonly string[]): VipswapError {
  return new VipswapError('invalid_definition', faults.join('\n'), { faults })
}
