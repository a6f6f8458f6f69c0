import { Compile } from 'typebox/compile'

type Json = Record<string, unknown>

interface Operation {
  readonly id: string
  readonly method: string
  readonly path: string
  readonly json: Json
}

/** A checker of one OpenAPI document: is what was answered as it says, and nothing besides? */
export class ApiDocument {
  readonly operations: readonly Operation[]
  readonly #document: Json
  readonly #compiled = new Map<string, (value: unknown) => string[]>()

  constructor(document: Json) {
    this.#document = document
    this.operations = Object.entries(object(document['paths'])).flatMap(([path, item]) =>
      Object.entries(object(item)).map(([method, json]) => ({
        id: String(object(json)['operationId']),
        method: method.toUpperCase(),
        path,
        json: object(json),
      })),
    )
  }

  operation(id: string): Operation {
    const found = this.operations.find(each => each.id === id)
    if (found === undefined) throw new Error(`the document has no operation ${id}`)
    return found
  }

  /** The operation of a call; null where the document has none. The most literal path wins. */
  find(method: string, path: string): Operation | null {
    const found = this.operations.filter(each => each.method === method && patternOf(each.path).test(path))
    return found.toSorted((a, b) => variablesOf(a.path) - variablesOf(b.path))[0] ?? null
  }

  /** What an answer has that the document does not say, or the reverse. */
  faults(id: string, answer: { status: number; type: string | null; body: string }): string[] {
    const { responses } = this.operation(id).json
    const described = object(responses)[String(answer.status)]
    if (described === undefined)
      return [`${id}: status ${answer.status} is not documented: ${answer.body.slice(0, 300)}`]
    const content = object(described)['content']
    if (content === undefined) return answer.body === '' ? [] : [`${id}: ${answer.status} has a body`]
    const type = mediaType(answer.type ?? '')
    const [, media] = Object.entries(object(content)).find(([each]) => mediaType(each) === type || each === '*/*') ?? []
    if (media === undefined) return [`${id}: ${answer.status} with type ${answer.type} is not documented`]
    const { schema } = object(media)
    const value: unknown = type.endsWith('json') ? JSON.parse(answer.body) : answer.body
    return this.check(`${id} ${answer.status} ${type}`, schema, value).map(fault => `${id} ${answer.status}: ${fault}`)
  }

  /** What of a value a schema of the document does not say. `key` names the schema. */
  check(key: string, schema: unknown, value: unknown): string[] {
    const known = this.#compiled.get(key)
    if (known !== undefined) return known(value)
    const compiled = Compile(this.#closed(schema, true) as object)
    const check = (each: unknown): string[] =>
      compiled.Check(each)
        ? []
        : compiled.Errors(each).map(error => `${error.instancePath} ${error.message} ${JSON.stringify(error.params)}`)
    this.#compiled.set(key, check)
    return check(value)
  }

  /** References resolved, and objects with fields closed: the document lets fields be added, a test does not. */
  #closed(schema: unknown, close: boolean): unknown {
    if (Array.isArray(schema)) return schema.map(each => this.#closed(each, close))
    if (typeof schema !== 'object' || schema === null) return schema
    const json: Json = { ...schema }
    if (typeof json['$ref'] === 'string') {
      const name = json['$ref'].slice(json['$ref'].lastIndexOf('/') + 1)
      return this.#closed(object(object(this.#document['components'])['schemas'])[name], close)
    }
    const inside = Object.fromEntries(
      Object.entries(json).map(([key, value]) => {
        // Parts of an intersection see each other's fields; an example is no schema.
        if (key === 'example' || key === 'examples' || key === 'enum' || key === 'const') return [key, value]
        if (key === 'properties') {
          return [
            key,
            Object.fromEntries(Object.entries(object(value)).map(([name, each]) => [name, this.#closed(each, true)])),
          ]
        }
        return [key, this.#closed(value, key !== 'allOf')]
      }),
    )
    if (close && inside['properties'] !== undefined && inside['additionalProperties'] === undefined) {
      inside['additionalProperties'] = false
    }
    return inside
  }
}

function mediaType(header: string): string {
  return header.split(';')[0]?.trim() ?? ''
}

function patternOf(path: string): RegExp {
  const text = path.replace(/\/\{path\}$/, '/.*').replace(/\{\w+\}/g, '[^/]+')
  return new RegExp(`^${text}$`)
}

function variablesOf(path: string): number {
  return path.split('{').length
}

function object(value: unknown): Json {
  return typeof value === 'object' && value !== null ? (value as Json) : {}
}
