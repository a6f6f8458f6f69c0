import { crc32, deflateRawSync } from 'node:zlib'

/** A header of a tar as anybody may write it: fields are put in as they are given, and the checksum fits. */
export interface RawHeader {
  readonly name: string
  /** Octal text, or bytes for the base-256 form. */
  readonly size?: string | Buffer
  readonly type?: string
  readonly link?: string
  readonly prefix?: string
  readonly body?: string | Buffer
}

const END_OF_TAR = Buffer.alloc(1024)

/** Blocks of a tar, without its end. */
export function tarBlock({ name, size, type = '0', link = '', prefix = '', body = '' }: RawHeader): Buffer {
  const content = Buffer.from(body)
  const head = Buffer.alloc(512)
  head.write(name, 0, 100)
  head.write('0000644\0', 100)
  head.write('0000000\0', 108)
  head.write('0000000\0', 116)
  if (Buffer.isBuffer(size)) size.copy(head, 124)
  else head.write(size ?? `${content.length.toString(8).padStart(11, '0')}\0`, 124)
  head.write('00000000000\0', 136)
  head.write('        ', 148)
  head.write(type, 156)
  head.write(link, 157, 100)
  head.write('ustar\x0000', 257)
  head.write(prefix, 345, 155)
  const sum = head.reduce((total, byte) => total + byte, 0)
  head.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return Buffer.concat([head, content, Buffer.alloc((512 - (content.length % 512)) % 512)])
}

/** A pax header that changes what the next entry says (type `x`), or all that follow (`g`). */
export function paxBlock(fields: Readonly<Record<string, string>>, type: 'x' | 'g' = 'x'): Buffer {
  const body = Object.entries(fields).map(([key, value]) => {
    const rest = ` ${key}=${value}\n`
    let length = Buffer.byteLength(rest)
    while (length !== Buffer.byteLength(rest) + String(length).length)
      length = Buffer.byteLength(rest) + String(length).length
    return `${length}${rest}`
  })
  return tarBlock({ name: 'PaxHeader', type, body: body.join('') })
}

/** GNU's long name (`L`) or long link (`K`) of the next entry. */
export function gnuLong(text: string, type: 'L' | 'K' = 'L'): Buffer {
  return tarBlock({ name: '././@LongLink', type, body: `${text}\0` })
}

export function tarOfBlocks(...blocks: readonly Buffer[]): Buffer {
  return Buffer.concat([...blocks, END_OF_TAR])
}

/** An entry of a zip; what its two headers say may differ from each other and from what is there. */
export interface RawZipEntry {
  readonly name: string
  readonly content?: string | Buffer
  /** In the local header; default: as in the directory. */
  readonly localName?: string
  readonly flags?: number
  readonly method?: number
  /** In the directory. */
  readonly crc?: number
  readonly size?: number
  /** In the local header. */
  readonly localCrc?: number
  readonly localSize?: number
  readonly extra?: Buffer
  /** After the data. */
  readonly descriptor?: Buffer
  /** Its data is that of an earlier entry, by index. */
  readonly sameAs?: number
  readonly mode?: number
}

/** A zip written by hand; `before` stands before its directory, and `after` after its end. */
export function rawZipOf(entries: readonly RawZipEntry[], before = Buffer.alloc(0), after = Buffer.alloc(0)): Buffer {
  const parts: Buffer[] = []
  const central: Buffer[] = []
  const offsets: number[] = []
  let at = 0
  for (const entry of entries) {
    const {
      name,
      content = '',
      localName = name,
      flags = 0,
      method = 8,
      extra = Buffer.alloc(0),
      mode = 0o100644,
    } = entry
    const plain = Buffer.from(content)
    const data = method === 8 ? deflateRawSync(plain) : plain
    const { crc = crc32(plain), size = plain.length, localCrc = crc, localSize = size } = entry
    const offset = entry.sameAs === undefined ? at : (offsets[entry.sameAs] ?? 0)
    offsets.push(offset)
    if (entry.sameAs === undefined) {
      const head = Buffer.alloc(30)
      head.writeUInt32LE(0x04034b50)
      head.writeUInt16LE(20, 4)
      head.writeUInt16LE(flags, 6)
      head.writeUInt16LE(method, 8)
      head.writeUInt32LE(localCrc, 14)
      head.writeUInt32LE(data.length, 18)
      head.writeUInt32LE(localSize, 22)
      head.writeUInt16LE(Buffer.byteLength(localName), 26)
      parts.push(head, Buffer.from(localName), data, entry.descriptor ?? Buffer.alloc(0))
      at += 30 + Buffer.byteLength(localName) + data.length + (entry.descriptor?.length ?? 0)
    }
    const head = Buffer.alloc(46)
    head.writeUInt32LE(0x02014b50)
    head.writeUInt16LE((3 << 8) | 20, 4)
    head.writeUInt16LE(20, 6)
    head.writeUInt16LE(flags, 8)
    head.writeUInt16LE(method, 10)
    head.writeUInt32LE(crc, 16)
    head.writeUInt32LE(data.length, 20)
    head.writeUInt32LE(size, 24)
    head.writeUInt16LE(Buffer.byteLength(name), 28)
    head.writeUInt16LE(extra.length, 30)
    head.writeUInt32LE((mode << 16) >>> 0, 38)
    head.writeUInt32LE(offset, 42)
    central.push(head, Buffer.from(name), extra)
  }
  const directory = Buffer.concat(central)
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50)
  end.writeUInt16LE(entries.length, 8)
  end.writeUInt16LE(entries.length, 10)
  end.writeUInt32LE(directory.length, 12)
  end.writeUInt32LE(at + before.length, 16)
  return Buffer.concat([...parts, before, directory, end, after])
}

/** Info-ZIP's other name of an entry (0x7075), which goes before its own. */
export function unicodePath(name: string, other: string): Buffer {
  const data = Buffer.alloc(5 + Buffer.byteLength(other))
  data.writeUInt8(1)
  data.writeUInt32LE(crc32(name), 1)
  data.write(other, 5)
  const head = Buffer.alloc(4)
  head.writeUInt16LE(0x7075)
  head.writeUInt16LE(data.length, 2)
  return Buffer.concat([head, data])
}
