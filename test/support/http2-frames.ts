import { connect, type Socket } from 'node:net'

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'

/** Frame types of RFC 9113 section 6. */
export const TYPE = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const

export const END_STREAM = 1
export const ACK = 1
export const END_HEADERS = 4

export interface Frame {
  readonly type: number
  readonly flags: number
  readonly stream: number
  readonly payload: Buffer
}

/** One frame's bytes. */
export function frame(type: number, flags: number, stream: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const bytes = Buffer.alloc(9 + payload.length)
  bytes.writeUIntBE(payload.length, 0, 3)
  bytes[3] = type
  bytes[4] = flags
  bytes.writeUInt32BE(stream, 5)
  bytes.set(payload, 9)
  return bytes
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

function hpackInteger(value: number): Buffer {
  if (value < 127) return Buffer.from([value])
  const octets = [127]
  let left = value - 127
  for (; left >= 128; left = Math.floor(left / 128)) octets.push((left % 128) + 128)
  octets.push(left)
  return Buffer.from(octets)
}

/** A header block of literals without indexing (RFC 7541 section 6.2.2), so that nothing needs a table. */
export function block(fields: readonly (readonly [name: string, value: string])[]): Buffer {
  return Buffer.concat(
    fields.flatMap(([name, value]) => [
      Buffer.from([0]),
      hpackInteger(name.length),
      Buffer.from(name, 'latin1'),
      hpackInteger(value.length),
      Buffer.from(value, 'latin1'),
    ]),
  )
}

export const GET = [
  [':method', 'GET'],
  [':scheme', 'http'],
  [':path', '/'],
  [':authority', 'app.localhost'],
] as const

/** HEADERS of a whole request without a body. */
export function get(stream: number, fields: readonly (readonly [string, string])[] = GET): Buffer {
  return frame(TYPE.headers, END_HEADERS | END_STREAM, stream, block(fields))
}

/** The first frames whole in `bytes`, and what is left. */
export function parseFrames(bytes: Buffer): { frames: Frame[]; rest: Buffer } {
  const frames: Frame[] = []
  let rest = bytes
  while (rest.length >= 9) {
    const length = rest.readUIntBE(0, 3)
    if (rest.length < 9 + length) break
    frames.push({
      type: rest[3] ?? 0,
      flags: rest[4] ?? 0,
      stream: rest.readUInt32BE(5),
      payload: rest.subarray(9, 9 + length),
    })
    rest = rest.subarray(9 + length)
  }
  return { frames, rest }
}

export interface FrameClient {
  readonly socket: Socket
  readonly frames: Frame[]
  closed: boolean
  /** Bytes as they are. */
  send(...parts: Uint8Array[]): void
  of(type: number, stream?: number): Frame[]
}

/** A client of HTTP/2 that does only what it is told: preface and empty SETTINGS are sent, nothing is acknowledged. */
export async function frameClient(
  t: { teardown(fn: () => unknown): void },
  port: number,
  options: { acknowledge?: boolean } = {},
): Promise<FrameClient> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  const client: FrameClient = {
    socket,
    frames: [],
    closed: false,
    send: (...parts) => socket.write(Buffer.concat(parts)),
    of: (type, stream) =>
      client.frames.filter(one => one.type === type && (stream === undefined || one.stream === stream)),
  }
  let rest: Buffer = Buffer.alloc(0)
  socket.on('data', chunk => {
    const parsed = parseFrames(Buffer.concat([rest, chunk]))
    rest = parsed.rest
    client.frames.push(...parsed.frames)
    if (options.acknowledge !== true) return
    for (const { type, flags, payload } of parsed.frames) {
      if (type === TYPE.ping && flags === 0) client.send(frame(TYPE.ping, ACK, 0, payload))
      if (type === TYPE.settings && flags === 0) client.send(frame(TYPE.settings, ACK, 0))
    }
  })
  socket.on('error', () => {})
  socket.on('close', () => {
    client.closed = true
  })
  t.teardown(() => socket.destroy())
  await new Promise(resolve => {
    socket.once('connect', resolve)
  })
  client.send(Buffer.from(PREFACE, 'latin1'), frame(TYPE.settings, 0, 0))
  return client
}

/** Error code of a RST_STREAM or GOAWAY. */
export function codeOf({ type, payload }: Frame): number {
  return payload.readUInt32BE(type === TYPE.goaway ? 4 : 0)
}
