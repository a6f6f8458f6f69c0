import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { VipswapError } from '../../../src/core/errors.ts'
import { createPackageStore } from '../../../src/packages/package-store.ts'
import { readPackage } from '../../../src/packages/read-package.ts'
import { unpackTar } from '../../../src/packages/unpack-tar.ts'
import { SERVICE } from '../../support/archives.ts'
import {
  gnuLong,
  paxBlock,
  rawZipOf,
  tarBlock,
  tarOfBlocks,
  unicodePath,
  type RawZipEntry,
} from '../../support/raw-archives.ts'
import { tempDir } from '../../support/temp.ts'

// What an archive written by hand may say. Each is tried on the three ways in: what an upload goes through, what
// `vipswap deploy` and `validate` read, what an agent unpacks.

const LIMITS = { maxBytes: 200_000, maxFiles: 50 }
const service = tarBlock({ name: 'service.yaml', body: SERVICE })
const file = (name: string): Buffer => tarBlock({ name, body: 'x' })
const HUGE = (10 * 1024 ** 3).toString(8)

/** Sizes of the base-256 form: 0x80 and the number, or all ones for a negative one. */
const base256 = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(12)
  bytes.writeBigInt64BE(value, 4)
  if (value < 0n) bytes.fill(0xff, 0, 4)
  else bytes[0] = 0x80
  return bytes
}

/** Refused, or else exactly what `files` says came out, below the folder, and nothing beside it. */
type Expected = { readonly refused: RegExp } | { readonly files: Readonly<Record<string, string>> }
const refused = (how: RegExp): Expected => ({ refused: how })

const TARS: Readonly<Record<string, readonly [Buffer, Expected]>> = {
  'a pax path that climbs out': [
    tarOfBlocks(service, paxBlock({ path: '../../evil' }), file('a')),
    refused(/leaves the package/),
  ],
  'a pax path that is absolute': [
    tarOfBlocks(service, paxBlock({ path: '/tmp/evil' }), file('a')),
    refused(/absolute/),
  ],
  'a global pax path': [
    tarOfBlocks(service, paxBlock({ path: '../evil' }, 'g'), file('a'), file('b')),
    // A name for all that follow is none.
    { files: { a: 'x', b: 'x' } },
  ],
  'a name twice by pax': [tarOfBlocks(service, file('a'), paxBlock({ path: 'a' }), file('b')), refused(/there twice/)],
  'a pax link out': [
    tarOfBlocks(service, paxBlock({ linkpath: '/etc/passwd' }), tarBlock({ name: 'l', type: '2', link: 'ok' })),
    refused(/only relative links/),
  ],
  'a pax hard link out': [
    tarOfBlocks(
      service,
      paxBlock({ linkpath: '../../../etc/passwd' }),
      tarBlock({ name: 'h', type: '1', link: 'service.yaml' }),
    ),
    refused(/no file before it/),
  ],
  'a pax size beyond the archive': [
    tarOfBlocks(service, paxBlock({ size: String(10 * 1024 ** 3) }), file('a')),
    refused(/cannot be read|bytes/),
  ],
  'a GNU long name that climbs out': [
    tarOfBlocks(service, gnuLong('../evil'), file('a')),
    refused(/leaves the package/),
  ],
  'a GNU long link out': [
    tarOfBlocks(service, gnuLong('/etc/shadow', 'K'), tarBlock({ name: 'l', type: '2', link: 'ok' })),
    refused(/only relative links/),
  ],
  'a name of 4096 bytes': [
    tarOfBlocks(service, gnuLong('n'.repeat(4096)), file('a')),
    refused(/longer than 255 bytes/),
  ],
  'a path of 4096 bytes': [tarOfBlocks(service, gnuLong('d/'.repeat(2048) + 'a'), file('a')), refused(/longer than/)],
  'a name of two million bytes': [
    tarOfBlocks(service, gnuLong('n'.repeat(2_000_000)), file('a')),
    refused(/kind packages cannot hold|bytes|cannot be read/),
  ],
  'a prefix that climbs out': [
    tarOfBlocks(service, tarBlock({ name: 'evil', prefix: '../..', body: 'x' })),
    refused(/leaves the package/),
  ],
  'a prefix with a drive': [
    tarOfBlocks(service, tarBlock({ name: 'evil', prefix: 'C:', body: 'x' })),
    refused(/absolute/),
  ],
  'a sparse file of 10 GB': [
    tarOfBlocks(service, tarBlock({ name: 's', type: 'S', size: `${HUGE}\0`.padStart(12, '0') })),
    refused(/kind packages cannot hold|cannot be read|special/),
  ],
  'a pax sparse file of 10 GB': [
    tarOfBlocks(
      service,
      paxBlock({
        'GNU.sparse.major': '1',
        'GNU.sparse.minor': '0',
        'GNU.sparse.realsize': String(10 * 1024 ** 3),
        'GNU.sparse.name': '../evil',
      }),
      tarBlock({ name: 'GNUSparseFile.0/s', body: '0\n' }),
    ),
    // Its holes are never made, nor its other name taken: what it holds is what comes out.
    { files: { 'GNUSparseFile.0/s': '0\n' } },
  ],
  'a file of 10 GB that is not there': [
    tarOfBlocks(service, tarBlock({ name: 'a', size: `${HUGE}\0`.padStart(12, '0') })),
    refused(/cannot be read|bytes/),
  ],
  'a size below nothing': [
    tarOfBlocks(service, tarBlock({ name: 'a', size: base256(-512n), body: 'x' }), file('b')),
    refused(/./),
  ],
  'a size beyond numbers': [
    tarOfBlocks(service, tarBlock({ name: 'a', size: base256(2n ** 62n), body: 'x' })),
    refused(/./),
  ],
  'a size that is no number': [
    tarOfBlocks(service, tarBlock({ name: 'a', size: 'zzzzzzzzzzz\0', body: 'x' })),
    refused(/./),
  ],
  'a block device': [tarOfBlocks(service, tarBlock({ name: 'd', type: '4' })), refused(/special file/)],
  'a kind nobody knows': [
    tarOfBlocks(service, tarBlock({ name: 'd', type: 'Z' })),
    refused(/kind packages cannot hold|special/),
  ],
  'a hard link to itself': [
    tarOfBlocks(service, tarBlock({ name: 'h', type: '1', link: 'h' })),
    refused(/no file before it/),
  ],
  'a file through a link of another case': [
    tarOfBlocks(service, tarBlock({ name: 'Lib', type: '2', link: '.' }), file('lib/evil')),
    refused(/only in case|both a folder/),
  ],
  'a file through a link of another Unicode form': [
    tarOfBlocks(service, tarBlock({ name: 'caf\u00e9', type: '2', link: '.' }), file('cafe\u0301/evil')),
    refused(/Unicode form|both a folder/),
  ],
  'a link in place of the root': [
    tarOfBlocks(tarBlock({ name: '.', type: '2', link: '/tmp' }), service, file('a')),
    { files: { a: 'x' } },
  ],
  'a second archive behind the end': [
    tarOfBlocks(tarOfBlocks(service, file('a')), tarOfBlocks(file('hidden'))),
    // Readers that stop at the end and readers that go on would differ: what is kept is one of the two, and signed.
    { files: { a: 'x' } },
  ],
}

const entry = (name: string, more: Partial<RawZipEntry> = {}): RawZipEntry => ({ name, content: 'x', ...more })
const definition = entry('service.yaml', { content: SERVICE })

const ZIPS: Readonly<Record<string, readonly [Buffer, Expected]>> = {
  'an untouched zip': [rawZipOf([definition, entry('a')]), { files: { a: 'x' } }],
  'a local name that differs': [
    rawZipOf([definition, entry('ok', { localName: '../evil' })]),
    refused(/two ways that differ/),
  ],
  'a local name of the same length': [
    rawZipOf([definition, entry('aaaa', { localName: 'bbbb' })]),
    refused(/two ways that differ/),
  ],
  'a local checksum that differs': [
    rawZipOf([definition, entry('a', { localCrc: 1 })]),
    refused(/two ways that differ/),
  ],
  'a local size that differs': [
    rawZipOf([definition, entry('a', { localSize: 5000 })]),
    refused(/two ways that differ/),
  ],
  'a directory that understates a size': [
    rawZipOf([definition, entry('a', { content: 'x'.repeat(90_000), size: 10 })]),
    refused(/cannot be read/),
  ],
  'a directory that overstates a size': [rawZipOf([definition, entry('a', { size: 5000 })]), refused(/cannot be read/)],
  'a wrong checksum': [rawZipOf([definition, entry('a', { crc: 1 })]), refused(/checksum is wrong/)],
  'a data descriptor that lies': [
    rawZipOf([
      definition,
      entry('a', {
        flags: 8,
        localCrc: 0,
        localSize: 0,
        descriptor: Buffer.from('504b070811111111ffffffff7f7f7f7f', 'hex'),
      }),
    ]),
    // Only the directory counts, and its checksum is compared.
    { files: { a: 'x' } },
  ],
  'a directory that lies behind a data descriptor': [
    rawZipOf([definition, entry('a', { flags: 8, localCrc: 0, localSize: 0, crc: 7 })]),
    refused(/checksum is wrong/),
  ],
  'another name in an extra field': [
    rawZipOf([definition, entry('ok', { extra: unicodePath('ok', '../evil') })]),
    refused(/invalid relative path/),
  ],
  'entries that share their data': [
    rawZipOf([
      definition,
      entry('f0', { content: 'x'.repeat(20_000) }),
      ...Array.from({ length: 40 }, (_, i) => entry(`f${i + 1}`, { content: 'x'.repeat(20_000), sameAs: 1 })),
    ]),
    refused(/two ways that differ|more than 200000 bytes/),
  ],
  'more entries than allowed': [
    rawZipOf([definition, ...Array.from({ length: 60_000 }, (_, i) => entry(`f${i}`, { content: '', method: 0 }))]),
    refused(/more than (50 files|200000 bytes)/),
  ],
  'a bomb': [
    rawZipOf([definition, entry('zeros', { content: Buffer.alloc(20_000_000) })]),
    refused(/more than 200000 bytes/),
  ],
  'an encrypted entry': [rawZipOf([definition, entry('a', { flags: 1 })]), refused(/is encrypted/)],
  'a way of packing nobody knows': [rawZipOf([definition, entry('a', { method: 99 })]), refused(/cannot be read/)],
  'a device': [rawZipOf([definition, entry('d', { mode: 0o020666 })]), refused(/special file/)],
  'two directories, the last of which counts': [
    Buffer.concat([
      rawZipOf([definition, entry('evil')]),
      secondZip([definition, entry('a')], rawZipOf([definition, entry('evil')]).length),
    ]),
    { files: { a: 'x' } },
  ],
  'a second archive behind the first, as if alone': [
    Buffer.concat([rawZipOf([definition, entry('a'), entry('b')]), rawZipOf([definition, entry('c')])]),
    refused(/cannot be read|two ways that differ/),
  ],
  'bytes behind the end': [
    rawZipOf([definition, entry('a')], undefined, Buffer.from('PK\x05\x06')),
    refused(/cannot be read/),
  ],
}

/** A zip whose places count from `shift` bytes before it. */
function secondZip(entries: readonly RawZipEntry[], shift: number): Buffer {
  const zip = rawZipOf(entries)
  const end = zip.length - 22
  const from = zip.readUInt32LE(end + 16)
  for (let at = from; at < end; at += 46 + zip.readUInt16LE(at + 28) + zip.readUInt16LE(at + 30))
    zip.writeUInt32LE(zip.readUInt32LE(at + 42) + shift, at + 42)
  zip.writeUInt32LE(from + shift, end + 16)
  return zip
}

const GENERIC: ReadonlySet<unknown> = new Set(['invalid_package', 'package_too_large'])

/** Runs a way in, and holds it to what is expected; answers the folder or digest that it made, if it did. */
async function holds(t: Test, way: string, expected: Expected, run: () => Promise<unknown>): Promise<boolean> {
  const thrown: unknown = await run().then(
    () => null,
    (error: unknown) => error,
  )
  if ('files' in expected) {
    t.equal(thrown, null, `${way} takes it`)
    return true
  }
  t.ok(thrown instanceof VipswapError && GENERIC.has(thrown.code), `${way}: ${String(thrown)}`)
  if (thrown instanceof VipswapError) t.match(thrown.message, expected.refused, way)
  return false
}

for (const [kind, archives] of [
  ['tar.gz', TARS],
  ['zip', ZIPS],
] as const) {
  for (const [name, [bytes, expected]] of Object.entries(archives)) {
    t.test(`${name}, in a ${kind}`, async t => {
      const outside = tempDir(t)
      const archive = kind === 'zip' ? bytes : gzipSync(bytes)
      const path = join(outside, `package.${kind}`)
      writeFileSync(path, archive)
      const store = createPackageStore(join(outside, 'data'), LIMITS)
      const into = join(outside, 'unpacked')
      await holds(t, 'an upload', expected, async () => store.addArchive(Readable.from([archive]), kind))
      await holds(t, 'a file', expected, async () => readPackage(path, LIMITS))
      // Agents get the tars that the store made; here one gets what nobody has looked at.
      if (kind === 'tar.gz')
        await holds(t, 'an agent', expected, async () => unpackTar(Readable.from([bytes]), into, LIMITS))
      const [kept] = await store.list()
      if ('files' in expected && kept !== undefined) {
        const out = join(outside, 'out')
        await unpackTar(store.open(kept.digest), out, LIMITS)
        const names = readdirSync(out, { recursive: true, withFileTypes: true }).filter(each => each.isFile())
        const found = names.map(each => join(each.parentPath, each.name).slice(out.length + 1)).toSorted()
        t.strictSame(found, [...Object.keys(expected.files), 'service.yaml'].toSorted())
        for (const [each, text] of Object.entries(expected.files)) t.equal(readFileSync(join(out, each), 'utf8'), text)
      } else t.equal(kept, undefined, 'nothing is kept')
      t.strictSame(readdirSync(join(outside, 'data', 'packages', 'tmp')), [])
      const allowed = new Set(['data', 'out', 'unpacked', `package.${kind}`])
      t.strictSame(
        readdirSync(outside).filter(each => !allowed.has(each)),
        [],
        'nothing stands beside it',
      )
    })
  }
}
