import { STATUS_CODES } from 'node:http'
import { dateText } from './date.ts'
import type { ResponseHead } from './response-head.ts'

/** The instance that answered, told to the client only where the operator wants it. */
export interface ExposedInstance {
  readonly deployment: string
  readonly instance: string
  readonly version: string
}

/** The head to send to a client, with its closing empty line. */
export function responseHeadText(
  head: ResponseHead,
  options: { http10: boolean; close: boolean; exposed: ExposedInstance | null },
): string {
  const reason = head.reason === '' ? (STATUS_CODES[head.status] ?? '') : head.reason
  let text = `HTTP/1.1 ${head.status} ${reason}\r\n${head.fields}`
  if (head.body === 'chunked' && !options.http10) text += 'Transfer-Encoding: chunked\r\n'
  // RFC 9110 section 6.6.1: who forwards an answer without a date gives it one.
  if (!head.dated) text += `Date: ${dateText()}\r\n`
  if (options.exposed !== null) text += exposedFields(options.exposed)
  // RFC 9110 section 15.5.22: a 426 says which protocol would do.
  if (head.status === 426 && head.upgrade !== null) text += `Upgrade: ${head.upgrade}\r\nConnection: Upgrade\r\n`
  if (options.close) text += 'Connection: close\r\n'
  else if (options.http10) text += 'Connection: keep-alive\r\n'
  return `${text}\r\n`
}

function exposedFields({ deployment, instance, version }: ExposedInstance): string {
  return `X-Vipswap-Deployment: ${deployment}\r\nX-Vipswap-Instance: ${instance}\r\nX-Vipswap-Version: ${version}\r\n`
}

/** An interim answer (1xx) to pass on. */
export function interimHeadText(head: ResponseHead): string {
  const reason = head.reason === '' ? (STATUS_CODES[head.status] ?? '') : head.reason
  return `HTTP/1.1 ${head.status} ${reason}\r\n${head.fields}\r\n`
}

/** The 101 of a tunnel. */
export function switchHeadText(head: ResponseHead, exposed: ExposedInstance | null): string {
  return (
    `HTTP/1.1 101 ${head.reason === '' ? 'Switching Protocols' : head.reason}\r\n${head.fields}` +
    (exposed === null ? '' : exposedFields(exposed)) +
    `Connection: Upgrade\r\nUpgrade: ${head.upgrade ?? ''}\r\n\r\n`
  )
}
