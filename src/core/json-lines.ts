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
  let pending = ''
  let closed = false
  let failure: Error | undefined

  stream.on('data', (chunk: Buffer) => {
    pending += decoder.write(chunk)
    if (!pending.includes('\n')) {
      if (pending.length > MAX_LINE) stream.destroy(new VipswapError('invalid_request', 'a line is longer than 64 MiB'))
      return
    }
    const lines = pending.split('\n')
    pending = lines.pop() ?? ''
    for (const line of lines) {
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
