import type { Duplex } from 'node:stream'

const LINGER_MS = 2000

/**
 * The last that is written to a connection nobody reads any more: what still comes is dropped, so that no reset overtakes
 * the text, and it is gone within two seconds, whatever its other end does.
 */
export function lastWords(socket: Duplex, text: string): void {
  socket.on('error', () => socket.destroy())
  socket.end(text)
  socket.resume()
  const late = setTimeout(() => socket.destroy(), LINGER_MS)
  socket.once('close', () => clearTimeout(late))
}
