import type { Call } from '../calls/call.ts'
import { TAGS } from '../calls/call.ts'
import { Problem } from '../../contracts/api/problem.ts'
import { ERRORS, type ErrorCode } from '../../core/errors.ts'
import { ownVersion } from '../../core/version.ts'
import { roleOf } from '../access/permissions.ts'
import { Components } from './components.ts'
import { asJson, isObject, type Json, type JsonObject } from './json.ts'
import {
  COMMAND_PARAMETERS,
  COMMON_PARAMETERS,
  ETAG,
  LOCATION,
  REQUEST_ID,
  TAGGED_PARAMETERS,
  header,
} from './parameters.ts'

/** A route of the admin, as far as the document needs it. */
export interface Route {
  readonly url: string
  readonly methods: readonly string[]
  readonly call: Call
  /** Of its requests: the very schemas they are checked by. */
  readonly schema: Readonly<Partial<Record<'params' | 'querystring' | 'headers' | 'body', unknown>>>
}

/** What OpenAPI has a place for. */
const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace']
/** Every call may be answered with these. */
const ANY = ['invalid_request', 'unauthorized', 'forbidden', 'too_many_attempts', 'internal', 'unreachable'] as const
const WITH_BODY = ['request_too_large', 'unsupported_media_type'] as const
const PROBLEM = 'application/problem+json'

/** The OpenAPI 3.1 document of these routes. */
export function documentOf(routes: readonly Route[]): JsonObject {
  const components = new Components()
  components.add(Problem)
  const paths: Record<string, JsonObject> = {}
  for (const route of routes) {
    const path = route.url.replace(/:(\w+)/g, '{$1}').replace('*', '{path}')
    const methods = route.methods.map(method => method.toLowerCase()).filter(method => METHODS.includes(method))
    for (const method of methods) {
      const several = methods.length > 1 ? method : ''
      paths[path] = { ...paths[path], [method]: operationOf(route, path, several, components) }
    }
  }
  return {
    openapi: '3.1.1',
    info: {
      title: 'vipswap admin API',
      version: ownVersion(),
      description:
        'Two live slots on two unchanging addresses, one atomic swap between them, and upgrades that walk one domain at a ' +
        'time. Changes answer 202 with an operation to follow. Errors are problem details (RFC 9457) with a stable `code`.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/', description: 'This controller' }],
    security: [{}, { token: [] }],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    paths,
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer', description: 'Where the controller asks for one.' } },
      schemas: components.schemas,
    },
  }
}

function operationOf({ call, schema }: Route, path: string, suffix: string, components: Components): JsonObject {
  const takesBody = schema.body !== undefined || call.bodyTypes !== undefined
  const codes = [...ANY, ...(takesBody ? WITH_BODY : []), ...call.problems]
  const body = bodyOf(call, schema.body, components)
  return {
    operationId: suffix === '' ? call.id : `${call.id}-${suffix}`,
    tags: [call.tag],
    'x-role': roleOf(call.id),
    summary: call.summary,
    ...(call.description === undefined ? {} : { description: call.description }),
    parameters: [
      ...parametersOf('path', schema.params, components),
      ...(path.endsWith('{path}') ? [REST_OF_PATH] : []),
      ...parametersOf('query', schema.querystring, components),
      ...parametersOf('header', schema.headers, components),
      ...(call.conditional === 'tagged' ? TAGGED_PARAMETERS : []),
      ...(call.conditional === 'command' ? COMMAND_PARAMETERS : []),
      ...Object.entries(call.headers ?? {}).map(([name, text]) => header(name, text)),
      ...COMMON_PARAMETERS,
    ],
    ...(body === null ? {} : { requestBody: body }),
    responses: merged(problemsOf(new Set(codes)), answersOf(call, schema.body !== undefined, components)),
  }
}

const REST_OF_PATH: JsonObject = {
  name: 'path',
  in: 'path',
  required: true,
  description: 'The path at the instance; it may have slashes.',
  schema: { type: 'string' },
}

function parametersOf(where: 'path' | 'query' | 'header', schema: unknown, components: Components): JsonObject[] {
  const object = schema === undefined ? {} : components.add(schema)
  const required = Array.isArray(object['required']) ? object['required'] : []
  const properties = isObject(object['properties']) ? object['properties'] : {}
  return Object.entries(properties).map(([name, property]) => {
    const { description, ...rest } = isObject(property) ? property : {}
    return {
      name: where === 'header' ? name.replace(/\b[a-z]/g, letter => letter.toUpperCase()) : name,
      in: where,
      ...(where === 'path' || required.includes(name) ? { required: true } : {}),
      ...(description === undefined ? {} : { description }),
      schema: rest,
    }
  })
}

/** Every JSON body may be left out where nothing in it is required. */
function bodyOf(call: Call, schema: unknown, components: Components): JsonObject | null {
  if (call.bodyTypes !== undefined) {
    return {
      required: call.bodyTypes[0] !== '*/*',
      content: Object.fromEntries(call.bodyTypes.map(type => [type, {}])),
    }
  }
  if (schema === undefined) return null
  const json = components.add(schema)
  const required = Array.isArray(json['required'])
  return { required, content: { 'application/json': { schema: json, example: asJson(call.example) } } }
}

function answersOf(call: Call, hasBody: boolean, components: Components): JsonObject {
  const answers: JsonObject = {}
  let example: JsonObject = hasBody ? {} : { example: asJson(call.example) }
  for (const [status, { description, schema, type = 'application/json' }] of Object.entries(call.answers)) {
    const headers: Record<string, Json> = { 'X-Request-ID': REQUEST_ID }
    if (call.conditional === 'tagged') headers['ETag'] = ETAG
    if (call.conditional === 'command') headers['Location'] = LOCATION
    // Numbers come in ascending order: of a command that is the operation, so its example is the 202's.
    const shown = call.conditional === 'command' && status !== '202' ? {} : example
    if (shown === example) example = {}
    const content = schema === undefined ? {} : { content: { [type]: { schema: components.add(schema), ...shown } } }
    answers[status] = { description, headers, ...content }
  }
  if (call.conditional === 'tagged') {
    answers['304'] = {
      description: 'It is as `If-None-Match` says.',
      headers: { ETag: ETAG, 'X-Request-ID': REQUEST_ID },
    }
  }
  return answers
}

/** Where an answer has the status of a problem, its media type tells which it is. */
function merged(problems: JsonObject, answers: JsonObject): JsonObject {
  const all = { ...problems, ...answers }
  for (const [status, answer] of Object.entries(answers)) {
    const problem = problems[status]
    if (!isObject(answer) || !isObject(problem)) continue
    all[status] = {
      ...answer,
      description: `${textOf(answer['description'])} Or ${textOf(problem['description'])}.`,
      content: { ...contentOf(answer), ...contentOf(problem) },
    }
  }
  return all
}

function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : ''
}

function contentOf({ content }: JsonObject): JsonObject {
  return isObject(content) ? content : {}
}

/** The codes by their status. */
function problemsOf(codes: ReadonlySet<ErrorCode>): JsonObject {
  const byStatus = new Map<number, ErrorCode[]>()
  for (const code of codes) {
    const { status } = ERRORS[code]
    byStatus.set(status, [...(byStatus.get(status) ?? []), code])
  }
  return Object.fromEntries(
    [...byStatus].map(([status, those]) => [
      String(status),
      {
        description: those.map(code => `\`${code}\``).join(', '),
        headers: { 'X-Request-ID': REQUEST_ID },
        content: {
          [PROBLEM]: {
            schema: {
              allOf: [
                { $ref: '#/components/schemas/Problem' },
                { type: 'object', properties: { code: { enum: those } } },
              ],
            },
          },
        },
      },
    ]),
  )
}
