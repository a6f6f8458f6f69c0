import { StringDecoder } from 'node:string_decoder'

export interface ServerSentEvent {
  readonly id: string
  readonly event: string
  readonly data: string
}

/** Reads server-sent events (WHATWG HTML section 9.2.6) from bytes; comments and empty events are left out. */
export async function* readServerSentEvents(source: AsyncIterable<Uint8Array>): AsyncGenerator<ServerSentEvent> {
  const decoder = new StringDecoder('utf8')
  let pending = ''
  let id = ''
  let event = ''
  let data: string[] = []
  for await (const chunk of source) {
    const lines = (pending + decoder.write(Buffer.from(chunk))).split(/\r\n|\n|\r(?!$)/)
    pending = lines.pop() ?? ''
    for (const line of lines) {
      if (line === '') {
        if (data.length > 0) yield { id, event: event === '' ? 'message' : event, data: data.join('\n') }
        event = ''
        data = []
        continue
      }
      const colon = line.indexOf(':')
      const field = colon === -1 ? line : line.slice(0, colon)
      const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '')
      if (field === 'id') id = value
      else if (field === 'event') event = value
      else if (field === 'data') data.push(value)
    }
  }
}
