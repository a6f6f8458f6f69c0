export type Json = null | boolean | number | string | readonly Json[] | JsonObject
export interface JsonObject {
  [key: string]: Json
}

/** Plain JSON of a value made of data: TypeBox's own, invisible marks stay behind. */
export function asJson(value: unknown): Json {
  return JSON.parse(JSON.stringify(value)) as Json // that is what parse makes
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
