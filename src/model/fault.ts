/** One thing wrong (or, as a warning, doubtful) in a file a person wrote, with the place and what to do about it. */
export interface Fault {
  /** The file as it was named to us. */
  readonly file: string
  /** Both count from 1. */
  readonly line: number
  readonly column: number
  /** Where in the document, `roles.web.endpoints.http.port`; empty for the document itself. */
  readonly path: string
  readonly found: string
  /** What to write instead, as an order: `write a whole number from 0 to 65535`. */
  readonly expected: string
  /** All of it on one line: `service.yaml:7:11 roles.web.endpoints.http.port: found 99999; write …`. */
  readonly message: string
}

/** Where something stands; `path` holds the keys from the root. */
export interface Place {
  readonly file: string
  readonly line: number
  readonly column: number
  readonly path: readonly string[]
}

export function createFault(place: Place, found: string, expected: string): Fault {
  const { file, line, column } = place
  const path = place.path.join('.')
  const where = path === '' ? '' : ` ${path}`
  const message = `${file}:${line}:${column}${where}: ${found}; ${expected}`
  return { file, line, column, path, found, expected, message }
}

export function compareFaults(a: Fault, b: Fault): number {
  return a.line - b.line || a.column - b.column || (a.path < b.path ? -1 : 1)
}
