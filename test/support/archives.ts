import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { Header, Pax } from 'tar'
import yazl from 'yazl'

/** An entry for an archive made by hand; anything may be claimed. */
export interface RawEntry {
  readonly path: string
  readonly type?: 'File' | 'Directory' | 'SymbolicLink' | 'Link' | 'CharacterDevice' | 'FIFO'
  readonly content?: string | Uint8Array
  readonly linkpath?: string
  readonly mode?: number
  readonly mtime?: Date
}

export const SERVICE = `name: sample
version: 1.0.0
roles:
  web:
    command: node server.js
    instances: 2
    endpoints: { http: { port: 8080 } }
`

/** An uncompressed tar with exactly these entries, checked by nobody. */
export function rawTar(entries: readonly RawEntry[]): Buffer {
  const blocks = entries.flatMap(
    ({ path, type = 'File', content = '', linkpath, mode = 0o644, mtime = new Date() }) => {
      const body = Buffer.from(content)
      const header = new Header({
        path,
        type,
        mode,
        size: body.length,
        mtime,
        uid: 0,
        gid: 0,
        ...(linkpath === undefined ? {} : { linkpath }),
      })
      header.encode()
      const pax = path.length > 100 ? [new Pax({ path }).encode()] : []
      return [...pax, header.block ?? Buffer.alloc(512), body, Buffer.alloc((512 - (body.length % 512)) % 512)]
    },
  )
  return Buffer.concat([...blocks, Buffer.alloc(1024)])
}

/** A zip made by yazl; links and directories as Unix tools write them. */
export async function rawZip(entries: readonly RawEntry[], compress = true): Promise<Buffer> {
  const zip = new yazl.ZipFile()
  for (const { path, type = 'File', content = '', linkpath = '', mode = 0o644, mtime = new Date() } of entries) {
    if (type === 'Directory') zip.addEmptyDirectory(path, { mtime })
    else if (type === 'SymbolicLink') zip.addBuffer(Buffer.from(linkpath), path, { mtime, mode: 0o120777 })
    else if (type === 'FIFO') zip.addBuffer(Buffer.alloc(0), path, { mtime, mode: 0o010644 })
    else zip.addBuffer(Buffer.from(content), path, { mtime, compress, mode: 0o100000 | mode })
  }
  zip.end()
  return buffer(zip.outputStream)
}

/** Writes the entries as real files. */
export function writeTree(root: string, entries: readonly RawEntry[]): string {
  mkdirSync(root, { recursive: true })
  for (const { path, type = 'File', content = '', linkpath = '', mode = 0o644 } of entries) {
    const full = join(root, path)
    mkdirSync(type === 'Directory' ? full : dirname(full), { recursive: true })
    if (type === 'SymbolicLink') symlinkSync(linkpath, full)
    if (type === 'File') {
      writeFileSync(full, content)
      chmodSync(full, mode)
    }
  }
  return root
}
