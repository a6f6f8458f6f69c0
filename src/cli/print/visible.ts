/** Control characters but tab, line feed, and what begins a colour (`ESC [ … m`). */
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const UNSEEN = /\u001b(?!\[[\d;]*m)|[\u0000-\u0008\u000b-\u001a\u001c-\u001f\u007f-\u009f]/g

/**
 * Text fit for a terminal: what an instance answered to a probe, or somebody reported, moves no cursor and sets no title.
 * Each control character becomes a replacement character.
 */
export function visible(text: string): string {
  return text.replaceAll(UNSEEN, '\ufffd')
}

/** A line that an instance wrote: on a terminal no more than its colours pass, into a file or a pipe all of it. */
export function logLine(line: string, { obeys }: { readonly obeys: boolean }): string {
  return obeys ? visible(line.replace(/\r$/, '')) : line
}

/** JSON with nothing in it that a terminal would obey: `JSON.stringify` escapes only the lower half of what it might. */
export function jsonText(value: unknown): string {
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  return JSON.stringify(value).replaceAll(/[\u007f-\u009f]/g, found => `\\u00${found.charCodeAt(0).toString(16)}`)
}
