import { BARE_CONTROL, REQUEST_START, RESPONSE_START } from './grammar.ts'

// A head that comes in many small reads is looked at after each: no more than once at the same octet, save the first line.

/** `text`, a request's head so far, cannot become a head any more. Its first `before` characters were looked at already. */
export function isBrokenRequest(text: string, before: number): boolean {
  const line = text.indexOf('\r\n')
  const lineIsKnown = line !== -1 && line + 2 <= before
  return (!lineIsKnown && !REQUEST_START.test(text)) || hasBareControl(text, before)
}

/** The same of an answer's head. */
export function isBrokenResponse(text: string, before: number): boolean {
  return !RESPONSE_START.test(text) || hasBareControl(text, before)
}

function hasBareControl(text: string, before: number): boolean {
  // A CR is judged with what follows it, a LF with what is before it.
  let from = before === 0 ? 0 : before - 1
  if (from > 0 && text[from] === '\n') from--
  return BARE_CONTROL.test(text.slice(from))
}
