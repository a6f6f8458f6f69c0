import { randomBytes } from 'node:crypto'
import type { Kind } from './records.ts'

/** What goes over the wire for one request, and what must come back. */
export interface Message {
  /** Written one after the other, a turn of the event loop apart. */
  readonly parts: readonly Buffer[]
  /** The body of the answer, byte for byte. */
  readonly expected: Buffer | undefined
  /** Comes back in `x-nonce`: an answer to another request is noticed. */
  readonly nonce: string
}

const LARGE = randomBytes(64 * 1024)
const PIECES = [1, 7000, 16, 9000, 4000]
let count = 0

/** The next request of a kind. No two have the same nonce or body within one thread. */
export function createMessage(kind: Exclude<Kind, 'ws'>, authority: string, close: boolean): Message {
  count += 1
  const nonce = `${process.pid}-${count}`
  const common = `host: ${authority}\r\nx-nonce: ${nonce}\r\n${close ? 'connection: close\r\n' : ''}`
  switch (kind) {
    case 'get':
      return { parts: [Buffer.from(`GET / HTTP/1.1\r\n${common}\r\n`)], expected: undefined, nonce }
    case 'slow':
      return { parts: [Buffer.from(`GET /slow?ms=200 HTTP/1.1\r\n${common}\r\n`)], expected: undefined, nonce }
    case 'post': {
      const body = payload(LARGE.length)
      const head = Buffer.from(`POST /echo HTTP/1.1\r\n${common}content-length: ${body.length}\r\n\r\n`)
      return { parts: [Buffer.concat([head, body])], expected: body, nonce }
    }
    case 'chunked': {
      const body = payload(PIECES.reduce((sum, piece) => sum + piece, 0))
      const parts = [Buffer.from(`POST /echo HTTP/1.1\r\n${common}transfer-encoding: chunked\r\n\r\n`)]
      let at = 0
      for (const piece of PIECES) {
        const data = body.subarray(at, at + piece)
        parts.push(Buffer.concat([Buffer.from(`${piece.toString(16)}\r\n`), data, Buffer.from('\r\n')]))
        at += piece
      }
      parts.push(Buffer.from('0\r\n\r\n'))
      return { parts, expected: body, nonce }
    }
  }
}

function payload(length: number): Buffer {
  const body = Buffer.from(LARGE.subarray(0, length))
  body.writeUInt32BE(count >>> 0, 4)
  return body
}
