import '../http1/octets.ts'

// As much of TLS as is needed to see which server name a client asks for (RFC 8446 sections 4 and 5.1, RFC 6066 section 3)
// before OpenSSL sees its first byte: so certificate, client authentication and session tickets are those of one listener
// from the start, and none of them hangs on a callback in the middle of a handshake.

const HANDSHAKE = 22
const CLIENT_HELLO = 1
const RECORD_HEADER = 5
const MAX_RECORD = 16_384
const SERVER_NAME = 0
const HOST_NAME = 0
const NAME = /^[a-z0-9_](?:[a-z0-9._-]{0,251}[a-z0-9_])?$/

/** Longest that is taken, record headers included; those with post-quantum key shares have about 2 KiB. */
const MAX_CLIENT_HELLO = 16 * 1024

export type ClientHello =
  /** `serverName`: lower-case, without a closing dot; null: none was asked for that a host could have. */
  | { readonly state: 'whole'; readonly serverName: string | null }
  /** At least `needed` octets in all are wanted before it is worth looking again. */
  | { readonly state: 'more'; readonly needed: number }
  | { readonly state: 'broken' }

const BROKEN: ClientHello = { state: 'broken' }

/** Reads the ClientHello at the start of `bytes`, which are all that came so far. It may be spread over several records. */
export function parseClientHello(bytes: Buffer): ClientHello {
  const parts: Buffer[] = []
  let size = 0
  let wanted = 4
  for (let at = 0; size < wanted;) {
    if (bytes.length > at && bytes[at] !== HANDSHAKE) return BROKEN
    if (bytes.length < at + RECORD_HEADER) return more(at + RECORD_HEADER)
    const length = bytes.readUInt16BE(at + 3)
    if (bytes[at + 1] !== 3 || length === 0 || length > MAX_RECORD) return BROKEN
    const end = at + RECORD_HEADER + length
    // Its first four octets say how long the message is, so look at what there is of the record.
    const part = bytes.subarray(at + RECORD_HEADER, end)
    parts.push(part)
    size += part.length
    if (wanted === 4 && size >= 4) {
      const head = parts.length === 1 ? part : Buffer.concat(parts)
      if (head[0] !== CLIENT_HELLO) return BROKEN
      wanted = 4 + head.readUIntBE(1, 3)
      if (wanted > MAX_CLIENT_HELLO) return BROKEN
    }
    if (bytes.length < end) return more(end)
    at = end
  }
  // Nothing else may follow in the same record: the client waits for an answer to its first message.
  if (size !== wanted) return BROKEN
  const [only] = parts
  return readServerName(only !== undefined && parts.length === 1 ? only : Buffer.concat(parts))
}

function more(needed: number): ClientHello {
  return needed > MAX_CLIENT_HELLO ? BROKEN : { state: 'more', needed }
}

function readServerName(message: Buffer): ClientHello {
  const end = message.length
  // Type and length, legacy version, random.
  let at = 4 + 2 + 32
  for (const width of [1, 2, 1]) {
    // Session id, cipher suites, compression methods.
    if (at + width > end) return BROKEN
    at += width + message.readUIntBE(at, width)
  }
  if (at === end) return { state: 'whole', serverName: null }
  if (at + 2 > end || at + 2 + message.readUInt16BE(at) !== end) return BROKEN
  at += 2
  while (at < end) {
    if (at + 4 > end) return BROKEN
    const type = message.readUInt16BE(at)
    const next = at + 4 + message.readUInt16BE(at + 2)
    if (next > end) return BROKEN
    if (type === SERVER_NAME) return readName(message.subarray(at + 4, next))
    at = next
  }
  return { state: 'whole', serverName: null }
}

/** The one entry there may be: a list of one host name. */
function readName(list: Buffer): ClientHello {
  if (list.length < 5 || list.readUInt16BE(0) !== list.length - 2 || list[2] !== HOST_NAME) return BROKEN
  if (list.readUInt16BE(3) !== list.length - 5) return BROKEN
  const text = list.latin1Slice(5, list.length).toLowerCase()
  const name = text.endsWith('.') ? text.slice(0, -1) : text
  return { state: 'whole', serverName: NAME.test(name) ? name : null }
}
