// The one grammar of requests and answers (RFC 9110 section 5, RFC 9112). Texts are latin1: one character is one octet.
// Every expression is anchored and has no nested choice over the same characters, so it runs in linear time.

const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+"
/** Field values: visible octets, SP, HTAB, obs-text; no other control, so no NUL, bare CR or bare LF. */
const VALUE = '[\\t\\x20-\\x7e\\x80-\\xff]*'
const FIELDS = `(?:\\r\\n${TOKEN}:${VALUE})*`

/** A request head without its closing empty line. Groups: method, target, minor version. */
export const REQUEST_HEAD = new RegExp(`^(${TOKEN}) ([\\x21-\\x7e]+) HTTP/1\\.(\\d)${FIELDS}$`)

/** A request line without its version, with the space before that. */
export const REQUEST_LINE = new RegExp(`^${TOKEN} [\\x21-\\x7e]+ $`)

/** An answer's head without its closing empty line. Groups: minor version, status, reason phrase. */
export const RESPONSE_HEAD = new RegExp(`^HTTP/1\\.(\\d) ([1-5]\\d\\d)(?: (${VALUE}))?${FIELDS}$`)

/** What a request's head may look like before it is whole: its line so far, whatever follows a whole line. */
export const REQUEST_START = new RegExp(
  `^(?:\\r?$|${TOKEN}(?: [\\x21-\\x7e]*)?$|${TOKEN} [\\x21-\\x7e]+ (?:[HTP/1.]{0,7}\\d?$|HTTP/1\\.\\d\\r))`,
)

/** The same of an answer's head. */
export const RESPONSE_START = /^(?:[HTP/1.]{0,7}$|HTTP\/1\.)/

/** A line of a trailer section with its CRLF. */
export const TRAILER_LINE = new RegExp(`^${TOKEN}:${VALUE}\\r\\n$`)

/** Octets of a line that has not ended; the CR may be the first of its end. */
export const LINE_PART = new RegExp(`^${VALUE}\\r?$`)

const QUOTED = '"(?:[\\t\\x20\\x21\\x23-\\x5b\\x5d-\\x7e\\x80-\\xff]|\\\\[\\t\\x20-\\x7e\\x80-\\xff])*"'
/** Extensions of a chunk (RFC 9112 section 7.1.1), from the first blank or semicolon. */
export const CHUNK_EXTENSIONS = new RegExp(`^(?:[\\t ]*;[\\t ]*${TOKEN}(?:[\\t ]*=[\\t ]*(?:${TOKEN}|${QUOTED}))?)+$`)

/** What no message may have, seen before its head is whole: bare LF, bare CR, NUL. */
export const BARE_CONTROL = /(?:^|[^\r])\n|\r[^\n]|\0/

/** Origin form: a path, then perhaps a query, which browsers send with `\` unescaped. No fragment, no quotes, no `<>`. */
export const ORIGIN_FORM = /^\/[^"#<>\\?]*(?:\?[^"#<>]*)?$/

/** Absolute form (RFC 9112 section 3.2.2) without user information. Groups: authority, path and query. */
export const ABSOLUTE_FORM = /^https?:\/\/([^/?#@\\]+)([/?].*)?$/i

const HOST_CHARACTERS = "[A-Za-z0-9._~!$&'()*+,;=-]*"
/** Host (RFC 9110 section 7.2, RFC 3986 section 3.2.2): a name or an IP address, perhaps a port. Groups: name, port. */
export const HOST = new RegExp(
  `^((?!:|$)${HOST_CHARACTERS}(?:%[0-9A-Fa-f]{2}${HOST_CHARACTERS})*|\\[[0-9A-Fa-f:.]+\\])(?::(\\d{0,5}))?$`,
)

/** Up to 15 digits: every such number is exact. */
export const DIGITS = /^\d{1,15}$/

export const HEAD_END = '\r\n\r\n'

/**
 * Never taken from a trailer section (RFC 9110 section 6.5.1): framing, routing, authentication, and what tells an
 * instance who came before. A message that has one is refused, because its bytes are forwarded as they are.
 */
export const FORBIDDEN_TRAILER = new RegExp(
  `^(?:${[
    'content-(?:length|encoding|type|range)',
    'transfer-encoding|host|connection|keep-alive|proxy-connection|trailer|te|upgrade|expect|max-forwards|http2-settings',
    '(?:proxy-)?authorization|proxy-authenticate|www-authenticate|cookie|set-cookie',
    'x[-_](?:forwarded|vipswap)[-_][a-z]+|x[-_](?:real[-_]ip|request[-_]id)|forwarded|via|traceparent|tracestate',
  ].join('|')}):`,
  'i',
)
