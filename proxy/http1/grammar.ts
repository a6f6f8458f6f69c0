// The one grammar of requests and answers (RFC 9110 section 5, RFC 9112). Texts are latin1: one character is one octet.
// Every expression is anchored and has no nested choice over the same characters, so it runs in linear time.

const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+"
/** Field values: visible octets, SP, HTAB, obs-text; no other control, so no NUL, bare CR or bare LF. */
const VALUE = '[\\t\\x20-\\x7e\\x80-\\xff]*'
const FIELDS = `(?:\\r\\n${TOKEN}:${VALUE})*`

/** A request head without its closing empty line. Groups: method, target, minor version. */
export const REQUEST_HEAD = new RegExp(`^(${TOKEN}) ([\\x21-\\x7e]+) HTTP/1\\.(\\d)${FIELDS}$`)

/** A request line without its version, with the space before that. Groups: method, target. */
export const REQUEST_LINE = new RegExp(`^(${TOKEN}) ([\\x21-\\x7e]+) $`)

/** An answer's head without its closing empty line. Groups: minor version, status, reason phrase. */
export const RESPONSE_HEAD = new RegExp(`^HTTP/1\\.(\\d) ([1-5]\\d\\d)(?: (${VALUE}))?${FIELDS}$`)

/** A trailer section, each line with its CRLF, without the closing empty line. */
export const TRAILERS = new RegExp(`^(?:${TOKEN}:${VALUE}\\r\\n)*$`)

/** What no message may have, seen before its head is whole: bare LF, bare CR, NUL. */
export const BARE_CONTROL = /(?:^|[^\r])\n|\r[^\n]|\0/

/** Origin form: a path, then perhaps a query, which browsers send with `\` unescaped. No fragment, no quotes, no `<>`. */
export const ORIGIN_FORM = /^\/[^"#<>\\?]*(?:\?[^"#<>]*)?$/

/** Absolute form (RFC 9112 section 3.2.2) without user information. Groups: authority, path and query. */
export const ABSOLUTE_FORM = /^https?:\/\/([^/?#@\\]+)([/?].*)?$/i

/** Host (RFC 9110 section 7.2): a name, an IPv4 address or a bracketed IPv6 address, perhaps a port. Group: name. */
export const HOST = /^([A-Za-z0-9._~!$&'()*+,;=%-]+|\[[0-9A-Fa-f:.]+\])(?::\d{0,5})?$/

/** Up to 15 digits: every such number is exact. */
export const CONTENT_LENGTH = /^\d{1,15}$/

/** Longest head line that is sure to be taken: RFC 9112 section 3 asks for 8000 octets. */
export const HEAD_END = '\r\n\r\n'

/** Octets a first byte of a request can have: a token character, or CR of a skipped empty line. */
export const FIRST_OCTET = /^[!#$%&'*+\-.^_`|~0-9A-Za-z\r]/

/** Never taken from a trailer section (RFC 9110 section 6.5.1): framing, routing, authentication. */
export const FORBIDDEN_TRAILER =
  /^(?:content-length|transfer-encoding|host|connection|trailer|te|upgrade|expect|content-encoding|content-type|content-range|authorization|proxy-authorization|cookie|set-cookie|x-forwarded-[a-z]+|forwarded|via):/im
