import type { Duplex } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'
import { VipswapError } from './errors.ts'
import { whyNotJson } from './json-error.ts'

const MAX_LINE = 64 * 1024 * 1024

/** One ordered stream of JSON values, a line each, over any duplex stream. */
export interface JsonLines {
  /** Queues one value, however much waits already; nothing once the stream is over. */
  send(value: unknown): void
  /** The peer is slow: what it need not be told is better left out until `onDrain`. */
  readonly isBehind: boolean
  /** Ends after what was sent has left. */
  end(): void
  destroy(): void
}

/**
 * Speaks JSON lines on `stream`. `onValue` gets each value in order; `onClose` once, with the reason if it was an error;
 * `onDrain` when the peer is not behind any more.
 * A line that is not JSON, or longer than 64 MiB, closes the stream.
 */
export function jsonLines(
  stream: Duplex,
  handlers: { onValue: (value: unknown) => void; onClose: (reason?: Error) => void; onDrain?: () => void },
): JsonLines {
  const decoder = new StringDecoder('utf8')
  /** A line that has not ended yet: joined once, when it has. */
  let pieces: string[] = []
  let length = 0
  let closed = false
  let failure: Error | undefined

  stream.on('data', (chunk: Buffer) => {
    const parts = decoder.write(chunk).split('\n')
    const rest = parts.pop() ?? ''
    for (const part of parts) {
      pieces.push(part)
      const line = pieces.join('')
      pieces = []
      length = 0
      if (line === '' || stream.destroyed) continue
      let value: unknown
      try {
        value = JSON.parse(line)
      } catch (error) {
        stream.destroy(new VipswapError('invalid_request', `a line is not JSON: ${whyNotJson(error)}`))
        return
      }
      handlers.onValue(value)
    }
    pieces.push(rest)
    length += rest.length
    if (length > MAX_LINE) stream.destroy(new VipswapError('invalid_request', 'a line is longer than 64 MiB'))
  })
  stream.on('drain', () => handlers.onDrain?.())
  stream.on('error', error => {
    failure = error
  })
  stream.on('end', () => stream.end())
  stream.on('close', () => {
    if (closed) return
    closed = true
    handlers.onClose(failure)
  })

  return {
    send: value => {
      if (!stream.destroyed && stream.writable) stream.write(`${JSON.stringify(value)}\n`)
    },
    get isBehind() {
      return stream.writableNeedDrain
    },
    end: () => stream.end(),
    destroy: () => stream.destroy(),
  }
}
