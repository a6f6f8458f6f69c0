import type { JsonObject } from './json.ts'

// Headers that groups of calls read and answer with.

export function header(name: string, description: string): JsonObject {
  return { name, in: 'header', description, schema: { type: 'string' } }
}

export const COMMON_PARAMETERS = [
  header('X-Request-ID', 'Comes back, and stands in the log lines of the call. Absent: one is made.'),
]

export const TAGGED_PARAMETERS = [header('If-None-Match', 'ETags the caller has; 304 if it is still one of them.')]

export const COMMAND_PARAMETERS = [
  header(
    'Idempotency-Key',
    'The same key with the same request answers the operation it made before; with another one it is refused. Kept as ' +
      'long as the operation: the newest 500.',
  ),
  header(
    'If-Match',
    'The ETag of what is changed: of the slot, of the service for a swap, of the operation. What was decided must be as ' +
      'it says; what is merely measured may differ.',
  ),
]

export const REQUEST_ID: JsonObject = { description: 'Of this call.', schema: { type: 'string' } }
export const ETAG: JsonObject = {
  description: 'Digests, before the dot of what was decided, after it of the whole answer.',
  schema: { type: 'string' },
}
export const LOCATION: JsonObject = { description: 'The operation.', schema: { type: 'string' } }
