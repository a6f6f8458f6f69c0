import { fieldIn, loggedStatus, MAX_FIELD, MAX_METHOD, MAX_TARGET, type AccessEntry } from './entry.ts'
import { escapeText } from './escape.ts'

/** A line of the Combined Log Format with its line feed. `time` as in `[10/Oct/2000:13:55:36 +0000]`. */
export function commonLine(entry: AccessEntry, time: string): string {
  const target = escapeText(entry.target, MAX_TARGET)
  const request = entry.method === '' ? target : `${escapeText(entry.method, MAX_METHOD)} ${target} ${entry.protocol}`
  const referer = escapeText(fieldIn(entry.fields, 'referer:'), MAX_FIELD)
  const agent = escapeText(fieldIn(entry.fields, 'user-agent:'), MAX_FIELD)
  return (
    `${entry.peer.address} - - ${time} "${orDash(request)}" ${loggedStatus(entry) ?? '-'} ` +
    `${entry.bytesOut === 0 ? '-' : entry.bytesOut} "${orDash(referer)}" "${orDash(agent)}"\n`
  )
}

function orDash(text: string): string {
  return text === '' ? '-' : text
}
