// A WebSocket server on node:http (RFC 6455): text and binary messages, fragments, ping, close. No extensions.
import { createHash } from 'node:crypto'

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const MAX_MESSAGE = 1024 * 1024
const [CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG] = [0, 1, 2, 8, 9, 10]

/** Answers the upgrade. The socket it returns calls `onmessage(data, binary)` and `onclose()`. */
export function acceptWebSocket(request, socket, head) {
  const { 'sec-websocket-key': key, 'sec-websocket-version': version, upgrade = '' } = request.headers
  if (upgrade.toLowerCase() !== 'websocket' || key === undefined || version !== '13') {
    socket.end(
      'HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13\r\nConnection: close\r\nContent-Length: 0\r\n\r\n',
    )
    return null
  }
  const accept = createHash('sha1')
    .update(key + GUID)
    .digest('base64')
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  )
  socket.setNoDelay(true)
  socket.setTimeout(0)
  return new WebSocketConnection(socket, head)
}

class WebSocketConnection {
  onmessage = () => {}
  onclose = () => {}
  #socket
  #rest
  #parts = []
  #partBytes = 0
  #binary = false
  #closing = false

  constructor(socket, head) {
    this.#socket = socket
    this.#rest = head
    socket.on('data', chunk => this.#read(chunk))
    socket.on('end', () => socket.end())
    socket.on('error', () => {})
    socket.on('close', () => this.onclose())
    // What came with the request is read once the caller has set its handlers.
    if (head.length > 0) queueMicrotask(() => this.#read(Buffer.alloc(0)))
  }

  send(data) {
    if (this.#closing || !this.#socket.writable) return
    this.#frame(typeof data === 'string' ? TEXT : BINARY, Buffer.from(data))
  }

  /** 1000 normal, 1001 going away, 1002 protocol error, 1009 too big. */
  close(code = 1000) {
    if (this.#closing) return
    this.#closing = true
    const payload = Buffer.alloc(2)
    payload.writeUInt16BE(code)
    this.#frame(CLOSE, payload)
    this.#socket.end()
    // A peer that never closes its side is not waited for.
    setTimeout(() => this.#socket.destroy(), 2000).unref()
  }

  #frame(opcode, payload) {
    const { length } = payload
    const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10)
    head[0] = 0x80 | opcode
    head[1] = length < 126 ? length : length < 65_536 ? 126 : 127
    if (head[1] === 126) head.writeUInt16BE(length, 2)
    if (head[1] === 127) head.writeBigUInt64BE(BigInt(length), 2)
    this.#socket.write(Buffer.concat([head, payload]))
  }

  #read(chunk) {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    while (!this.#closing) {
      const frame = parseFrame(this.#rest)
      if (frame === null) return
      if (frame.error !== undefined) return this.close(frame.error)
      this.#rest = this.#rest.subarray(frame.bytes)
      this.#take(frame)
    }
  }

  #take({ opcode, final, payload }) {
    if (opcode === PING) return this.#frame(PONG, payload)
    if (opcode === PONG) return
    if (opcode === CLOSE) return this.close(payload.length >= 2 ? payload.readUInt16BE() : 1000)
    if ((opcode === CONTINUATION) !== this.#parts.length > 0) return this.close(1002)
    if (opcode !== CONTINUATION) this.#binary = opcode === BINARY
    this.#parts.push(payload)
    this.#partBytes += payload.length
    if (this.#partBytes > MAX_MESSAGE) return this.close(1009)
    if (!final) return
    const message = Buffer.concat(this.#parts)
    this.#parts = []
    this.#partBytes = 0
    this.onmessage(this.#binary ? message : message.toString(), this.#binary)
  }
}

/** The first frame in `bytes`, null where it is not whole yet, or `{ error }` with a close code. */
function parseFrame(bytes) {
  if (bytes.length < 2) return null
  const [first, second] = bytes
  const opcode = first & 0x0f
  const control = opcode >= CLOSE
  const known = opcode <= BINARY || (opcode >= CLOSE && opcode <= PONG)
  const short = second & 0x7f
  if ((first & 0x70) !== 0 || !known || (second & 0x80) === 0) return { error: 1002 }
  if (control && ((first & 0x80) === 0 || short > 125)) return { error: 1002 }
  const start = short < 126 ? 2 : short === 126 ? 4 : 10
  if (bytes.length < start + 4) return null
  const length = short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2))
  if (length > MAX_MESSAGE) return { error: 1009 }
  if (bytes.length < start + 4 + length) return null
  const mask = bytes.subarray(start, start + 4)
  const payload = Buffer.from(bytes.subarray(start + 4, start + 4 + length))
  for (let i = 0; i < length; i++) payload[i] ^= mask[i & 3]
  return { opcode, final: (first & 0x80) !== 0, payload, bytes: start + 4 + length }
}
