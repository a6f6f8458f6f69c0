import { isMap, isScalar, isSeq, type Node, type YAMLMap } from 'yaml'
import { createFault, type Fault } from './fault.ts'
import { nearest, suggest } from './nearest.ts'
import type { SourceFile } from './source-file.ts'
import { keyText } from './yaml-index.ts'

/**
 * The part of JSON Schema that our files use. TypeBox values are such objects; a test compares this reader with
 * TypeBox's own check, which stops after eight errors and knows no positions.
 */
export interface SchemaNode {
  readonly type?: string
  readonly properties?: Readonly<Record<string, SchemaNode>>
  readonly required?: readonly string[] | undefined
  readonly patternProperties?: Readonly<Record<string, SchemaNode>>
  readonly minProperties?: number
  readonly items?: SchemaNode
  readonly minItems?: number
  readonly anyOf?: readonly SchemaNode[]
  readonly const?: string | number | boolean
  readonly minimum?: number
  readonly maximum?: number
  readonly pattern?: string
  readonly minLength?: number
  /** What no other keyword can say; `error` begins with "must be". TypeBox keeps it out of what is published. */
  readonly '~refine'?: readonly { check: (value: string) => boolean; error: (value: string) => string }[]
  /** What a value that fits `pattern` looks like, in words; editors show it too. */
  readonly patternErrorMessage?: string
  /** What a key that fits `patternProperties` looks like, in words. */
  readonly keyErrorMessage?: string
}

/**
 * Reads a whole file by its schema. Answers every fault, and the value without the faulty parts, so that what is
 * sound can still be looked at for faults of meaning.
 */
export function checkSchema(source: SourceFile, schema: SchemaNode): { value: unknown; faults: readonly Fault[] } {
  const faults: Fault[] = []
  const value = createReader(source, faults)(schema, source.root, [], source.root)
  return { value, faults }
}

type Reader = (schema: SchemaNode, raw: Node | null, path: readonly string[], key: unknown) => unknown

function createReader(source: SourceFile, faults: Fault[]): Reader {
  function fault(at: unknown, path: readonly string[], found: string, expected: string): undefined {
    faults.push(createFault(source.placeOf(at, path), found, expected))
  }

  const read: Reader = (schema, raw, path, key) => {
    const node = source.resolve(raw)
    const at = raw ?? key
    const wrong = () => fault(at, path, `found ${describe(node)}`, `write ${expectation(schema, node)}`)
    if (schema.anyOf !== undefined) {
      const branch = schema.anyOf.find(one =>
        one.const === undefined ? hasType(one, node) : one.const === plain(node),
      )
      if (branch === undefined) return wrong()
      return read(branch, raw, path, key)
    }
    if (!hasType(schema, node)) return wrong()
    if (isMap(node)) return readMap(schema, node, path, key)
    if (isSeq(node)) return readList(schema, node.items, path, at)
    const value = plain(node)
    if (!fits(schema, value)) return wrong()
    return value
  }

  function readList(schema: SchemaNode, items: readonly unknown[], path: readonly string[], at: unknown): unknown {
    const { minItems = 0, items: itemSchema = {} } = schema
    if (items.length < minItems) return fault(at, path, 'found an empty list', `write at least ${minItems} of them`)
    // What a parsed collection holds are nodes; the library's types say unknown.
    const values = items.map((item, i) => read(itemSchema, item as Node | null, [...path, String(i)], item))
    return values.filter(value => value !== undefined)
  }

  function readMap(schema: SchemaNode, map: YAMLMap, path: readonly string[], key: unknown): unknown {
    const { properties = {}, required = [], patternProperties = {}, minProperties = 0 } = schema
    const known = Object.keys(properties)
    const written = map.items.map(item => keyText(item.key)).filter(name => name !== undefined)
    const value: Record<string, unknown> = {}
    for (const item of map.items) {
      const name = keyText(item.key)
      const inner = [...path, name ?? '?']
      const [pattern] = Object.entries(patternProperties).find(([p]) => new RegExp(p).test(name ?? '')) ?? []
      const own = name !== undefined && Object.hasOwn(properties, name) ? properties[name] : undefined
      const itemSchema = own ?? (pattern === undefined ? undefined : patternProperties[pattern])
      if (name === undefined) fault(item.key, path, 'found a key that is not text', 'write a plain name')
      else if (name === '__proto__' || itemSchema === undefined) {
        const words = known.filter(word => !written.includes(word))
        const expected =
          schema.patternProperties === undefined ? suggest(name, words) : `write ${schema.keyErrorMessage ?? 'a name'}`
        fault(item.key, inner, `found an unknown key "${name}"`, expected)
      } else {
        const one = read(itemSchema, item.value as Node | null, inner, item.key)
        if (one !== undefined) value[name] = one
      }
    }
    for (const name of required) {
      if (written.includes(name)) continue
      const misspelt = nearest(
        name,
        written.filter(word => !known.includes(word)),
      )
      // The unknown key was reported with this one as its correction.
      if (misspelt !== null && suggest(misspelt, [name]) === `write ${name}`) continue
      fault(
        path.length === 0 ? null : key,
        [...path, name],
        'is missing',
        `write ${expectation(properties[name] ?? {}, null)}`,
      )
    }
    if (map.items.length < minProperties) fault(key, path, 'found nothing in it', `write at least ${minProperties}`)
    return value
  }

  return read
}

function plain(node: Node | null): unknown {
  return isScalar(node) ? node.value : undefined
}

function hasType(schema: SchemaNode, node: Node | null): boolean {
  const value = plain(node)
  switch (schema.type) {
    case 'object':
      return isMap(node)
    case 'array':
      return isSeq(node)
    case 'integer':
      return Number.isSafeInteger(value)
    case 'number':
      return Number.isFinite(value)
    case undefined:
      return true
    case 'null':
      return isScalar(node) && value === null
    default:
      return typeof value === schema.type
  }
}

function fits(schema: SchemaNode, value: unknown): boolean {
  if (schema.const !== undefined && schema.const !== value) return false
  if (typeof value === 'number') {
    return value >= (schema.minimum ?? -Infinity) && value <= (schema.maximum ?? Infinity)
  }
  if (typeof value !== 'string') return true
  if (value.length < (schema.minLength ?? 0) || value.includes('\0')) return false
  if (schema.pattern !== undefined && !new RegExp(schema.pattern).test(value)) return false
  return refusalOf(schema, value) === undefined
}

/** What to write instead of a text that a refinement does not take. */
function refusalOf({ '~refine': refinements = [] }: SchemaNode, value: string): string | undefined {
  return refinements
    .find(({ check }) => !check(value))
    ?.error(value)
    .replace(/^must be /, '')
}

/** What stands there, as it was written. */
function describe(node: Node | null): string {
  if (isMap(node)) return 'a mapping'
  if (isSeq(node)) return 'a list'
  const value = plain(node)
  if (value === undefined || value === null) return 'nothing'
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value)
  return isScalar(node) && node.source !== undefined ? node.source : JSON.stringify(value)
}

/** What would be accepted, in words. */
function expectation(schema: SchemaNode, node: Node | null): string {
  const { minimum: from, maximum: to } = schema
  if (schema.anyOf !== undefined) return choice(schema.anyOf, node)
  if (schema.const !== undefined) return String(schema.const)
  const { type = 'string' } = schema
  switch (type) {
    case 'integer':
    case 'number': {
      const noun = type === 'integer' ? 'a whole number' : 'a number'
      if (from !== undefined && to !== undefined) return `${noun} from ${from} to ${to}`
      return from === undefined ? noun : `${noun} of at least ${from}`
    }
    case 'boolean':
      return 'true or false'
    case 'array':
      return 'a list, for example [one, two]'
    case 'object': {
      const known = Object.keys(schema.properties ?? {})
      return known.length === 0 ? 'a mapping of names to values' : `a mapping with any of ${known.join(', ')}`
    }
    default: {
      const value = plain(node)
      const written =
        isScalar(node) && (typeof value === 'number' || typeof value === 'boolean') ? node.source : undefined
      if (written !== undefined && fits(schema, written)) return `it in quotes: "${written}"`
      const refusal = typeof value === 'string' ? refusalOf(schema, value) : undefined
      return refusal ?? schema.patternErrorMessage ?? 'text'
    }
  }
}

function choice(branches: readonly SchemaNode[], node: Node | null): string {
  const words = branches.filter(one => one.const !== undefined).map(one => String(one.const))
  const others = [...new Set(branches.filter(one => one.const === undefined).map(one => expectation(one, null)))]
  if (others.length > 0) return [...words, ...others].join(' or ')
  const value = plain(node)
  const near = typeof value === 'string' ? nearest(value, words) : null
  return near === null ? `one of ${words.join(', ')}` : `${near} (one of ${words.join(', ')})`
}
