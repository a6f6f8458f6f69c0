import { existsSync, readFileSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { contentDigest } from '../../../src/packages/digest.ts'
import { packDirectory } from '../../../src/packages/pack.ts'
import { createPackageStore, type PackageStore } from '../../../src/packages/package-store.ts'
import { readPackage } from '../../../src/packages/read-package.ts'
import { unpackTar } from '../../../src/packages/unpack-tar.ts'
import { SERVICE, rawTar, rawZip, writeTree, type RawEntry } from '../../support/archives.ts'
import { tempDir } from '../../support/temp.ts'

const ENTRIES: readonly RawEntry[] = [
  { path: 'service.yaml', content: SERVICE },
  { path: 'server.js', content: 'console.log(1)' },
  { path: 'bin/run', content: '#!/bin/sh', mode: 0o755 },
  { path: 'bin/link', type: 'SymbolicLink', linkpath: 'run' },
  { path: '@scope/file', content: '' },
  { path: 'empty/', type: 'Directory' },
  { path: `long/${'n'.repeat(200)}`, content: 'long name' },
]

t.test('directory, tar.gz and zip of the same content are one package', async t => {
  const store = createPackageStore(tempDir(t))
  const directory = writeTree(tempDir(t), ENTRIES)
  const first = await addDirectory(store, directory)
  t.equal(first.created, true)
  t.match(first.release, { definition: { name: 'sample' }, configuration: null, files: 5 })
  t.equal(first.release.digest, await contentDigest(directory))
  // A header written by hand holds no names over 100 bytes; the packer writes them.
  const { stream } = await packDirectory(directory)
  const zip = await rawZip([...ENTRIES].reverse())
  for (const added of [await store.addArchive(stream, 'tar.gz'), await store.addArchive(Readable.from([zip]), 'zip')]) {
    t.strictSame(added, { ...first, created: false })
  }
  t.strictSame(await store.list(), [first.release])
})

t.test('what the store gives out unpacks to the same digest', async t => {
  const store = createPackageStore(tempDir(t))
  const { release } = await addDirectory(store, writeTree(tempDir(t), ENTRIES))
  const into = join(tempDir(t), 'out')
  await unpackTar(store.open(release.digest), into)
  t.equal(await contentDigest(into), release.digest)
  t.equal(readFileSync(join(into, `long/${'n'.repeat(200)}`), 'utf8'), 'long name')
  t.strictSame(readdirSync(join(into, 'empty')), [])
})

t.test('the stored tar is the same, byte for byte, whoever packed it', async t => {
  const [a, b] = [createPackageStore(tempDir(t)), createPackageStore(tempDir(t))]
  const directory = writeTree(tempDir(t), ENTRIES)
  const { release } = await addDirectory(a, directory)
  utimesSync(join(directory, 'server.js'), 1, 1)
  await b.addArchive((await packDirectory(directory)).stream, 'tar.gz')
  t.ok((await buffer(a.open(release.digest))).equals(await buffer(b.open(release.digest))))
})

t.test('version control and desktop leftovers are left out, node_modules is not', async t => {
  const extra = [
    { path: '.git/HEAD', content: 'x' },
    { path: 'bin/.DS_Store', content: 'x' },
  ]
  const digest = await contentDigest(writeTree(tempDir(t), ENTRIES))
  const dirty = writeTree(tempDir(t), [...ENTRIES, ...extra])
  t.equal(await contentDigest(dirty), digest)
  const store = createPackageStore(tempDir(t))
  t.equal((await store.addArchive((await packDirectory(dirty)).stream, 'tar.gz')).release.digest, digest)
  t.equal((await store.addArchive(Readable.from([await rawZip([...ENTRIES, ...extra])]), 'zip')).release.digest, digest)
  const more = writeTree(tempDir(t), [...ENTRIES, { path: 'node_modules/a/index.js', content: '1' }])
  t.not(await contentDigest(more), digest)
})

t.test('a single top-level folder is stripped only where it holds the definition', async t => {
  const store = createPackageStore(tempDir(t))
  const inner = [
    { path: 'service.yaml', content: SERVICE },
    { path: 'a', content: 'x' },
  ]
  const wrapped = inner.map(entry => ({ ...entry, path: `sample-1.0.0/${entry.path}` }))
  const plain = await store.addArchive(Readable.from([rawTar(inner)]), 'tar')
  const stripped = await store.addArchive(Readable.from([rawTar(wrapped)]), 'tar')
  t.equal(stripped.release.digest, plain.release.digest)
  await t.rejects(store.addArchive(Readable.from([rawTar([...wrapped, { path: 'b' }])]), 'tar'), {
    code: 'invalid_package',
  })
  const climbing = [
    ...wrapped,
    { path: 'sample-1.0.0/l', type: 'SymbolicLink' as const, linkpath: '../sample-1.0.0/a' },
  ]
  await t.rejects(store.addArchive(Readable.from([rawTar(climbing)]), 'tar'), /leaves the package/)
})

t.test('identities change with what a role runs, and with nothing else', async t => {
  const store = createPackageStore(tempDir(t))
  const text = (version: string, instances = 2, extra = '') =>
    `name: two\nversion: ${version}\nroles:\n  web: { command: node web.js, instances: ${instances}, endpoints: { h: { port: 80 } } ${extra} }\n  work: { command: node work.js }\n`
  const identities = async (definition: string, web = 'web', work = 'work') => {
    const entries = [
      { path: 'service.yaml', content: definition },
      { path: 'web/web.js', content: web },
      { path: 'work/work.js', content: work },
    ]
    const { release } = await store.addArchive(Readable.from([rawTar(entries)]), 'tar')
    return release.identities
  }
  const base = await identities(text('1.0.0'))
  t.strictSame(await identities(text('1.1.0')), base, 'the version of the package is only a label')
  t.strictSame(await identities(text('1.0.0', 5)), base, 'the number of instances is configuration')
  const files = await identities(text('1.0.0'), 'other')
  t.not(files['web'], base['web'])
  t.equal(files['work'], base['work'])
  const settings = await identities(text('1.0.0', 2, ', env: { A: x }'))
  t.not(settings['web'], base['web'])
  t.equal(settings['work'], base['work'])
})

t.test('a package counts only while its record is there, and leftovers of a crash are cleaned', async t => {
  const data = tempDir(t)
  const { release } = await addDirectory(createPackageStore(data), writeTree(tempDir(t), ENTRIES))
  const packages = join(data, 'packages')
  writeTree(join(packages, 'tmp', 'in-123'), ENTRIES)
  writeFileSync(join(packages, `${'0'.repeat(64)}.tar`), 'a tar without record')
  const again = createPackageStore(data)
  t.strictSame(readdirSync(join(packages, 'tmp')), [])
  t.strictSame(await again.get(release.digest), release)
  t.equal(await again.get('0'.repeat(64)), null)
  t.equal(await again.get('../../etc/passwd'), null)
  t.throws(() => again.open('../x'), { code: 'package_not_found' })
  rmSync(join(packages, `${release.digest}.tar`))
  t.equal(await again.get(release.digest), null, 'a record without its content is not there either')
  t.equal((await addDirectory(again, writeTree(tempDir(t), ENTRIES))).created, true, 'and is made again')
})

t.test('the package added last is listed first, and one that is removed is gone whole', async t => {
  const data = tempDir(t)
  const store = createPackageStore(data)
  const digests: string[] = []
  for (let i = 0; i < 5; i++) {
    const { release } = await store.addArchive(
      Readable.from([rawTar([{ path: 'service.yaml', content: SERVICE.replace('1.0.0', `1.0.${i}`) }])]),
      'tar',
    )
    utimesSync(join(data, 'packages', `${release.digest}.json`), 1000 + i, 1000 + i)
    digests.push(release.digest)
  }
  const [first = '', second = '', third = '', fourth = '', fifth = ''] = digests
  t.strictSame(
    (await store.list()).map(({ digest }) => digest),
    [fifth, fourth, third, second, first],
  )
  t.equal(await store.remove(fifth), true)
  t.equal(await store.remove(fifth), false)
  t.notOk(existsSync(join(data, 'packages', `${fifth}.tar`)))
  t.strictSame(
    (await store.list()).map(({ digest }) => digest),
    [fourth, third, second, first],
  )
})

t.test('the same package added many times at once is one', async t => {
  const store = createPackageStore(tempDir(t))
  const bytes = gzipSync(rawTar([{ path: 'service.yaml', content: SERVICE }]))
  const added = await Promise.all(
    Array.from({ length: 8 }, async () => store.addArchive(Readable.from([bytes]), 'tar.gz')),
  )
  t.equal(new Set(added.map(({ release }) => release.digest)).size, 1)
  t.equal((await store.list()).length, 1)
})

t.test('a package can be read without a store, whatever it is', async t => {
  const directory = writeTree(tempDir(t), [
    ...ENTRIES,
    { path: 'service.config.yaml', content: 'roles: { web: { instances: 7 } }' },
  ])
  const built = await readPackage(directory)
  t.match(built, { release: { configuration: { roles: { web: { instances: 7 } } } }, warnings: [] })
  const archive = join(tempDir(t), 'sample.tgz')
  writeFileSync(archive, await buffer((await packDirectory(directory)).stream))
  t.strictSame(await readPackage(archive), built)
  await t.rejects(readPackage(join(directory, 'gone')), { code: 'invalid_package', message: /gone does not exist/ })
  await t.rejects(readPackage(join(directory, 'server.js')), {
    code: 'invalid_package',
    message: /no directory, .tar.gz or .zip/,
  })
  await t.rejects(readPackage(tempDir(t)), { code: 'invalid_package', message: /no service.yaml/ })
})

async function addDirectory(store: PackageStore, directory: string): ReturnType<PackageStore['addArchive']> {
  return store.addArchive((await packDirectory(directory)).stream, 'tar.gz')
}
