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
