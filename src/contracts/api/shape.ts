import { Type, type Static, type TSchema } from 'typebox'

/** The type of an answer: all of it is for reading. */
export type View<S extends TSchema> = Frozen<Static<S>>
type Frozen<T> = unknown extends T ? T : { readonly [K in keyof T]: Frozen<T[K]> }

/** Requests refuse fields they do not know. Answers do not say so: fields may be added to them. */
export const closed = { additionalProperties: false }

/** One of some words. */
export const OneOf = <const T extends readonly string[]>(words: readonly [...T], description?: string) =>
  Type.Enum<[...T]>([...words], description === undefined ? {} : { description })

export const Nullable = <T extends TSchema>(schema: T, description?: string) =>
  Type.Union([schema, Type.Null()], description === undefined ? {} : { description })

export const Text = (description?: string) => Type.String(description === undefined ? {} : { description })

/** ISO 8601, in UTC. */
export const Time = (description?: string) =>
  Type.String({ format: 'date-time', ...(description === undefined ? {} : { description }) })

export const Count = (description?: string) =>
  Type.Integer({ minimum: 0, ...(description === undefined ? {} : { description }) })
