import { Readable } from 'node:stream'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import t from 'tap'
import { contentDigest } from '../../../src/packages/digest.ts'
import { createPackageStore } from '../../../src/packages/package-store.ts'
import { SERVICE, rawTar, rawZip, writeTree, type RawEntry } from '../../support/archives.ts'
import { tempDir } from '../../support/temp.ts'

const name = fc.stringMatching(/^[a-z0-9@._-]{1,8}$/).filter(text => !/^\.+$|^service\./.test(text))
const files = fc.uniqueArray(
  fc.record({
    path: fc
      .array(name, { minLength: 1, maxLength: 3 })
      .map(parts => ['d', ...parts.slice(0, -1), `f${parts.at(-1) ?? ''}`].join('/')),
    content: fc.uint8Array({ maxLength: 2000 }),
    mode: fc.constantFrom(0o644, 0o755, 0o600, 0o700),
  }),
  { selector: ({ path }) => path, maxLength: 8 },
)

t.test('the digest depends on the content alone', async t => {
  const data = tempDir(t)
  const store = createPackageStore(data)
  let run = 0
  await fc.assert(
    fc.asyncProperty(
      files,
      fc.infiniteStream(fc.integer()),
      fc.date({ min: new Date(2000, 0), max: new Date(2030, 0), noInvalidDate: true }),
      async (list, order, mtime) => {
        // A folder in one path may not be a file in another: names of files begin with f, so drop the clashes.
        const clean = list.filter(({ path }) => !list.some(other => other.path.startsWith(`${path}/`)))
        const entries: RawEntry[] = [{ path: 'service.yaml', content: SERVICE }, ...clean]
        const shuffled = entries
          .map(entry => ({ entry: { ...entry, mtime }, key: order.next().value }))
          .sort((a, b) => a.key - b.key)
          .map(({ entry }) => entry)
        const expected = await contentDigest(writeTree(join(data, 'trees', String(run++)), entries))
        const tar = await store.addArchive(Readable.from([gzipSync(rawTar(shuffled))]), 'tar.gz')
        const zip = await store.addArchive(Readable.from([await rawZip(shuffled)]), 'zip')
        t.equal(tar.release.digest, expected)
        t.equal(zip.release.digest, expected)
      },
    ),
    { numRuns: 40 },
  )
})

t.test('any change of content changes the digest', async t => {
  const root = tempDir(t)
  const base: RawEntry[] = [
    { path: 'a', content: 'x' },
    { path: 'l', type: 'SymbolicLink', linkpath: 'a' },
  ]
  const variants: RawEntry[][] = [
    base,
    [{ path: 'a', content: 'y' }, ...base.slice(1)],
    [{ path: 'a', content: 'x', mode: 0o755 }, ...base.slice(1)],
    [{ path: 'b', content: 'x' }, ...base.slice(1)],
    [...base.slice(0, 1), { path: 'l', type: 'SymbolicLink', linkpath: './a' }],
    [...base.slice(0, 1), { path: 'l', content: 'a' }],
    [...base, { path: 'empty', type: 'Directory' }],
    [...base, { path: 'empty', content: '' }],
  ]
  const digests = await Promise.all(
    variants.map(async (entries, i) => contentDigest(writeTree(join(root, String(i)), entries))),
  )
  t.equal(new Set(digests).size, variants.length)
  t.ok(digests.every(digest => /^[0-9a-f]{64}$/.test(digest)))
})
