import { asJson, isObject, type Json, type JsonObject } from './json.ts'

/** Any key: what TypeBox writes for a mapping whose keys are of the user's choice. */
const ANY_KEY = '^.*$'

/**
 * Schemas by name: whatever has a `title` that is a word is moved there once, and referred to. TypeBox schemas are JSON
 * Schema 2020-12, which is what OpenAPI 3.1 has.
 */
export class Components {
  readonly schemas: JsonObject = {}

  /** The schema as the document has it: a reference where it has a name. */
  add(schema: unknown): JsonObject {
    const hoisted = this.#hoist(asJson(schema))
    return isObject(hoisted) ? hoisted : {}
  }

  #hoist(value: Json): Json {
    if (Array.isArray(value)) return value.map((each: Json) => this.#hoist(each))
    if (!isObject(value)) return value
    const { patternProperties, patternErrorMessage: _ours, keyErrorMessage: _too, ...rest } = value
    const plain: JsonObject = rest
    // A tuple: 2020-12 has `prefixItems` for what was an array in `items`.
    if (Array.isArray(plain['items'])) {
      plain['prefixItems'] = plain['items']
      plain['items'] = false
      delete plain['additionalItems']
    }
    if (isObject(patternProperties)) {
      const any = patternProperties[ANY_KEY]
      if (any === undefined) plain['patternProperties'] = patternProperties
      else plain['additionalProperties'] = any
    }
    const inside = Object.fromEntries(Object.entries(plain).map(([key, each]) => [key, this.#hoist(each)]))
    const { title } = inside
    if (typeof title !== 'string' || !/^\w+$/.test(title)) return inside
    this.schemas[title] = inside
    return { $ref: `#/components/schemas/${title}` }
  }
}
