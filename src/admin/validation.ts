import type { FastifySchemaCompiler } from 'fastify'
import { Compile } from 'typebox/compile'
import type { TSchema } from 'typebox'
import { VipswapError } from '../core/errors.ts'
import { nearest } from '../model/nearest.ts'

interface Fault {
  readonly keyword: string
  readonly instancePath: string
  readonly schemaPath: string
  readonly params: object
  readonly message: string
}

/** Checks requests against TypeBox schemas; what is wrong becomes `invalid_request` naming each field and what to write. */
export const compileValidator: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const check = Compile(schema)
  return value => {
    if (check.Check(value)) return { value }
    const faults = describeFaults(schema, check.Errors(value))
    const where = httpPart === 'querystring' ? 'query' : httpPart === 'params' ? 'path' : (httpPart ?? 'request')
    return { error: new VipswapError('invalid_request', `${where}: ${faults.join('; ')}`, { faults }) }
  }
}

/** One line for each thing that is wrong, in the order found. */
function describeFaults(schema: unknown, errors: readonly Fault[]): string[] {
  const lines = new Map<string, string>()
  for (const fault of errors) {
    // These follow from another fault that says it better: a branch of a union, or an unknown key.
    if (fault.keyword === 'boolean' || /\/anyOf\/\d+/.test(fault.schemaPath)) continue
    const key = `${fault.instancePath} ${fault.keyword}`
    if (!lines.has(key)) lines.set(key, describe(at(schema, fault.schemaPath), fault))
  }
  return [...lines.values()]
}

function describe(schema: unknown, fault: Fault): string {
  const params: Record<string, unknown> = { ...fault.params }
  const field = fault.instancePath.slice(1).replaceAll('/', '.')
  const inside = field === '' ? '' : `${field}.`
  const hint = hintOf(schema)
  switch (fault.keyword) {
    case 'required':
      return strings(params['requiredProperties'])
        .map(name => `${inside}${name} is missing${suffix(hintOf(at(schema, `#/properties/${name}`)))}`)
        .join('; ')
    case 'additionalProperties':
      return strings(params['additionalProperties'])
        .map(name => `${inside}${name} is not known here${suggest(name, keysOf(schema))}`)
        .join('; ')
    case 'anyOf':
      return `${field} must be ${choicesOf(schema)}`
    case 'enum':
      return `${field} must be ${choices(params['allowedValues'])}`
    case 'type':
      return `${field === '' ? 'it' : field} must be ${article(String(params['type']))}${suffix(hint)}`
    default:
      return `${field === '' ? 'it' : field} ${fault.message}${suffix(hint)}`
  }
}

function suggest(name: string, known: readonly string[]): string {
  const near = nearest(name, known)
  if (near !== null) return `; did you mean ${near}?`
  return known.length === 0 ? '' : `; known: ${known.join(', ')}`
}

function choicesOf(schema: unknown): string {
  const branches = member(schema, 'anyOf')
  if (!Array.isArray(branches)) return 'something else'
  return branches
    .map(branch => {
      const literal: unknown = member(branch, 'const')
      return literal === undefined ? article(String(member(branch, 'type'))) : JSON.stringify(literal)
    })
    .join(' or ')
}

function choices(allowed: unknown): string {
  return Array.isArray(allowed) ? allowed.map(each => JSON.stringify(each)).join(' or ') : 'something else'
}

function article(type: string): string {
  return type === 'null' ? 'null' : /^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`
}

function suffix(hint: string): string {
  return hint === '' ? '' : ` (${hint.replace(/\.$/, '')})`
}

function hintOf(schema: unknown): string {
  const description = member(schema, 'description')
  return typeof description === 'string' ? description : ''
}

function keysOf(schema: unknown): string[] {
  const properties = member(schema, 'properties')
  return typeof properties === 'object' && properties !== null ? Object.keys(properties) : []
}

function at(schema: unknown, path: string): unknown {
  let found: unknown = schema
  for (const step of path.split('/').slice(1)) found = member(found, step)
  return found
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : []
}
