/** What a terminal, a pager or another reader of lines could take for more than text. */
const UNSAFE = /[^\x20-\x7e]|["\\]/
const EACH_UNSAFE = /[^\x20-\x7e]|["\\]/g
const CUT = '...'

/**
 * A client's text for a log: at most `max` characters, octets beyond printable ASCII, quotes and backslashes as `\xHH`, so
 * that it can neither end its line or its quotes nor steer a terminal.
 */
export function escapeText(text: string, max: number): string {
  const bounded = text.length > max ? text.slice(0, max) + CUT : text
  return UNSAFE.test(bounded) ? bounded.replaceAll(EACH_UNSAFE, escapeOctet) : bounded
}

/** The same inside a JSON string, where the backslash itself has to be escaped. */
export function escapeJson(text: string, max: number): string {
  const bounded = text.length > max ? text.slice(0, max) + CUT : text
  return UNSAFE.test(bounded) ? bounded.replaceAll(EACH_UNSAFE, octet => `\\${escapeOctet(octet)}`) : bounded
}

function escapeOctet(octet: string): string {
  return `\\x${octet.charCodeAt(0).toString(16).padStart(2, '0')}`
}
