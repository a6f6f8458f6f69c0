/** Fields that belong to one hop (RFC 9110 section 7.6.1), whoever names them in `Connection`. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
  'proxy-authenticate',
  'proxy-authorization',
])

/** `Connection` may not remove these: framing, routing, and what the proxy itself adds. */
const PROTECTED: ReadonlySet<string> = new Set([
  'host',
  'content-length',
  'via',
  'date',
  'x-request-id',
  'traceparent',
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-vipswap-deployment',
  'x-vipswap-instance',
  'x-vipswap-version',
])

/** `text[start, end)` without blanks around it (RFC 9110 section 5.6.3): SP and HTAB only, unlike `trim()`. */
export function withoutBlanks(text: string, start: number, end: number): string {
  let from = start
  let to = end
  while (from < to && isBlank(text.charCodeAt(from))) from++
  while (to > from && isBlank(text.charCodeAt(to - 1))) to--
  return text.slice(from, to)
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09
}

/** The elements of a comma-separated list, lower-case, without blanks around them, empty ones left out. */
export function listElements(value: string): string[] {
  const elements: string[] = []
  for (const element of value.split(',')) {
    const trimmed = withoutBlanks(element, 0, element.length).toLowerCase()
    if (trimmed !== '') elements.push(trimmed)
  }
  return elements
}

/** Which fields a `Connection` value removes beyond those of every hop; null (the usual case) if none. */
export function namedByConnection(elements: readonly string[]): ReadonlySet<string> | null {
  let named: Set<string> | null = null
  for (const element of elements) {
    if (element === 'close' || HOP_BY_HOP.has(element) || PROTECTED.has(element)) continue
    named ??= new Set()
    named.add(element)
  }
  return named
}

/** Field lines (each with its CRLF) without those of the given names. */
export function withoutFields(lines: string, names: ReadonlySet<string>): string {
  let kept = ''
  for (let at = 0; at < lines.length;) {
    const end = lines.indexOf('\r\n', at) + 2
    if (!names.has(lines.slice(at, lines.indexOf(':', at)).toLowerCase())) kept += lines.slice(at, end)
    at = end
  }
  return kept
}

/** What a filter calls a name that is one of its own but for `_` in place of `-`. */
export const UNDERSCORED = '_'

/**
 * A set of lower-case names with a cheap first test by length and first letter, for the scan of a head. An instance that
 * makes variables of field names (CGI, WSGI, Rack) cannot tell `X_Forwarded_For` from `X-Forwarded-For`: see UNDERSCORED.
 */
export function nameFilter(names: readonly string[]): (text: string, start: number, end: number) => string | null {
  // Bit n of starts[length]: some name of this length starts with letter n.
  const starts = new Uint32Array(64)
  const known = new Set(names)
  for (const name of names) {
    starts[name.length] = (starts[name.length] ?? 0) | (1 << (name.charCodeAt(0) & 31))
  }
  return (text, start, end) => {
    const length = end - start
    if (length > 63 || (((starts[length] ?? 0) >>> (text.charCodeAt(start) & 31)) & 1) === 0) return null
    const name = text.slice(start, end).toLowerCase()
    if (known.has(name)) return name
    return name.includes('_') && known.has(name.replaceAll('_', '-')) ? UNDERSCORED : null
  }
}
