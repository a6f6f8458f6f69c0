import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { VipswapError } from '../../../src/core/errors.ts'
import { createPackageStore, type PackageStore } from '../../../src/packages/package-store.ts'
import { readPackage } from '../../../src/packages/read-package.ts'
import { unpackTar } from '../../../src/packages/unpack-tar.ts'
import { SERVICE, rawTar, rawZip, writeTree, type RawEntry } from '../../support/archives.ts'
import { tempDir } from '../../support/temp.ts'
import { until } from '../../support/until.ts'

const LIMITS = { maxBytes: 100_000, maxFiles: 50 }
const service: RawEntry = { path: 'service.yaml', content: SERVICE }

/** Adds it and expects a refusal that leaves nothing in the store and nothing beside it. */
async function refuses(
  t: Test,
  add: (store: PackageStore) => Promise<unknown>,
  code: string,
  message: RegExp,
): Promise<void> {
  const outside = tempDir(t)
  const store = createPackageStore(join(outside, 'data'), LIMITS)
  const error = await add(store).then(
    () => null,
    (thrown: unknown) => thrown,
  )
  t.ok(error instanceof VipswapError, `refused with an error of ours: ${String(error)}`)
  t.match(error, { code, message })
  t.strictSame(await store.list(), [])
  t.strictSame(readdirSync(outside), ['data'])
  t.strictSame(readdirSync(join(outside, 'data', 'packages')), ['tmp'])
  t.strictSame(readdirSync(join(outside, 'data', 'packages', 'tmp')), [], 'nothing half-done is left')
}

const tarOf = (entries: readonly RawEntry[]) => async (store: PackageStore) =>
  store.addArchive(Readable.from([gzipSync(rawTar(entries))]), 'tar.gz')

const file = (path: string): RawEntry => ({ path, content: 'x' })
const link = (path: string, linkpath: string): RawEntry => ({ path, type: 'SymbolicLink', linkpath })

const TARS: readonly (readonly [string, readonly RawEntry[], RegExp])[] = [
  ['a path that climbs out', [file('../evil')], /leaves the package/],
  ['a path that climbs out in the middle', [file('a/../../evil')], /leaves the package/],
  ['an absolute path', [file('/tmp/evil')], /is absolute/],
  ['a drive letter', [file('C:\\evil')], /is absolute/],
  ['a drive letter with slashes', [file('C:/evil')], /is absolute/],
  ['a backslash path', [file('..\\evil')], /holds a backslash/],
  ['a link to an absolute path', [link('l', '/etc')], /only relative links/],
  ['a link that climbs out', [link('l', '../x')], /leaves the package/],
  ['a link that climbs out from a folder', [link('a/l', '../../x')], /leaves the package/],
  [
    'a link that climbs behind another link',
    [link('a/b/up', '../..'), link('l', 'a/b/up/../x')],
    /only at its beginning/,
  ],
  ['a file through a link', [link('l', '.'), file('l/evil')], /is both a folder and something else/],
  ['a file in place of a link', [link('l', 'x'), file('l')], /is there twice/],
  ['a folder in place of a link', [link('l', 'x'), { path: 'l', type: 'Directory' }], /is both a folder/],
  ['a hard link out', [{ path: 'h', type: 'Link', linkpath: '/etc/passwd' }], /is a hard link to \/etc\/passwd/],
  [
    'a hard link through a link',
    [link('l', '.'), { path: 'h', type: 'Link', linkpath: 'l/service.yaml' }],
    /no file before it/,
  ],
  ['a hard link to a link', [link('l', 'x'), { path: 'h', type: 'Link', linkpath: 'l' }], /no file before it/],
  ['a device', [{ path: 'd', type: 'CharacterDevice' }], /special file/],
  ['a pipe', [{ path: 'd', type: 'FIFO' }], /special file/],
  ['the same name twice', [file('a'), file('a')], /is there twice/],
  ['the same name twice, written differently', [file('a'), file('./a')], /is there twice/],
  ['names that differ in case', [file('a/Readme'), file('a/README')], /only in case/],
  ['folders that differ in case', [file('A/x'), file('a/y')], /only in case/],
  ['names that differ in Unicode form', [file('caf\u00e9'), file('cafe\u0301')], /Unicode form/],
  ['a file and then a file below it', [file('x'), file('x/y')], /is both a folder/],
  ['a name that is too long', [file('n'.repeat(256))], /is longer than 255 bytes/],
  ['a path that is too long', [file(`${`${'d'.repeat(200)}/`.repeat(6)}x`)], /is longer than/],
  ['no definition', [file('server.js')], /no service.yaml at the root/],
  ['two definitions', [{ path: 'service.json', content: '{}' }], /both service.yaml and service.json/],
]

for (const [name, entries, message] of TARS) {
  t.test(`${name} in a tar is refused`, async t => {
    await refuses(t, tarOf(name === 'no definition' ? entries : [service, ...entries]), 'invalid_package', message)
  })
}

t.test('evil names and links in a zip are refused', async t => {
  const zipOf =
    (entries: readonly RawEntry[], from = '', to = '') =>
    async (store: PackageStore) => {
      // The packer checks names, so they are put in afterwards; they have the same length.
      const bytes = (await rawZip([service, ...entries])).toString('latin1').replaceAll(from, to)
      return store.addArchive(Readable.from([Buffer.from(bytes, 'latin1')]), 'zip')
    }
  await refuses(t, zipOf([file('AA/evil')], 'AA/evil', '../evil'), 'invalid_package', /invalid relative path/)
  await refuses(
    t,
    zipOf([file('AAAevil')], 'AAAevil', '..\\evil'.slice(0, 7)),
    'invalid_package',
    /invalid relative path/,
  )
  await refuses(t, zipOf([file('AAevil')], 'AAevil', '/aevil'), 'invalid_package', /absolute path/)
  await refuses(t, zipOf([file('AA/evil')], 'AA/evil', 'C:/evil'), 'invalid_package', /absolute path/)
  await refuses(t, zipOf([file('nAme')], 'nAme', 'n\0me'), 'invalid_package', /holds a NUL/)
  await refuses(t, zipOf([link('l', '../x')]), 'invalid_package', /leaves the package/)
  await refuses(t, zipOf([link('l', 'x'.repeat(5000))]), 'invalid_package', /too long a target/)
  await refuses(t, zipOf([{ path: 'p', type: 'FIFO' }]), 'invalid_package', /special file/)
  await refuses(
    t,
    zipOf([{ path: 'big', content: 'x'.repeat(100_001) }]),
    'package_too_large',
    /more than 100000 bytes/,
  )
})

t.test('what is larger than allowed is stopped early', async t => {
  let produced = 0
  const bomb = (chunks: number) =>
    Readable.from(
      (function* () {
        yield rawTar([service]).subarray(0, -1024)
        for (let i = 0; i < chunks; i++) {
          produced++
          yield rawTar([{ path: `f${i}`, content: Buffer.alloc(32_768) }]).subarray(0, -1024)
        }
      })(),
    )
  await t.rejects(unpackTar(bomb(10_000), join(tempDir(t), 'out'), LIMITS), { code: 'package_too_large' })
  t.ok(produced < 50, `${produced} of 10000 chunks were read`)
  await refuses(t, async store => store.addArchive(bomb(50), 'tar'), 'package_too_large', /more than 100000 bytes/)
  await refuses(
    t,
    tarOf([service, { path: 'zeros', content: Buffer.alloc(50_000_000) }]),
    'package_too_large',
    /100000 bytes/,
  )
  const many = Array.from({ length: 60 }, (_, i) => file(`f${i}`))
  await refuses(t, tarOf([service, ...many]), 'package_too_large', /more than 50 files/)
  await refuses(
    t,
    tarOf([service, file(Array.from({ length: 60 }, (_, i) => i).join('/'))]),
    'package_too_large',
    /50 files/,
  )
  const big: RawEntry = { path: 'a', content: 'x'.repeat(60_000) }
  await refuses(
    t,
    tarOf([service, big, { path: 'b', type: 'Link', linkpath: 'a' }]),
    'package_too_large',
    /100000 bytes/,
  )
})

t.test('what is no whole archive is refused', async t => {
  const whole = gzipSync(rawTar([service, { path: 'a', content: 'x'.repeat(20_000) }]))
  const from = (bytes: Buffer, kind: 'tar.gz' | 'zip' | 'tar') => async (store: PackageStore) =>
    store.addArchive(Readable.from([bytes]), kind)
  const unreadable = /cannot be read|is empty/
  await refuses(t, from(whole.subarray(0, -20), 'tar.gz'), 'invalid_package', unreadable)
  await refuses(
    t,
    from(rawTar([service, { path: 'a', content: 'x'.repeat(20_000) }]).subarray(0, 9000), 'tar'),
    'invalid_package',
    unreadable,
  )
  await refuses(t, from(Buffer.from('this is no archive at all'.repeat(100)), 'tar.gz'), 'invalid_package', unreadable)
  await refuses(t, from(Buffer.from('this is no archive at all'.repeat(100)), 'zip'), 'invalid_package', unreadable)
  await refuses(t, from(gzipSync('this is no archive at all'.repeat(100)), 'tar.gz'), 'invalid_package', unreadable)
  await refuses(t, from(Buffer.alloc(0), 'tar.gz'), 'invalid_package', unreadable)
  await refuses(t, from(gzipSync(''), 'tar.gz'), 'invalid_package', unreadable)
  const zip = await rawZip([service, { path: 'a', content: 'abcdefgh'.repeat(10), mode: 0o644 }])
  await refuses(t, from(zip.subarray(0, -30), 'zip'), 'invalid_package', unreadable)
  const stored = Buffer.from(await rawZip([service, { path: 'a', content: 'abcdefgh' }], false))
  stored.write('X', stored.indexOf('abcdefgh'))
  await refuses(t, from(stored, 'zip'), 'invalid_package', /its checksum is wrong/)
  const broken = Readable.from(
    (function* () {
      yield whole.subarray(0, 50)
      throw new Error('the caller went away')
    })(),
  )
  await refuses(t, async store => store.addArchive(broken, 'tar.gz'), 'invalid_package', /caller went away/)
  const gone = new PassThrough()
  gone.write(zip)
  gone.destroy()
  await refuses(t, async store => store.addArchive(gone, 'zip'), 'invalid_package', /cannot be read/)
})

t.test('a refused upload is read to its end, so that the refusal can be answered on its connection', async t => {
  const store = createPackageStore(tempDir(t), LIMITS)
  const upload = new PassThrough()
  upload.write(rawTar([file('../evil')]).subarray(0, -1024))
  await t.rejects(store.addArchive(upload, 'tar'), { code: 'invalid_package' })
  t.notOk(upload.destroyed)
  upload.write(Buffer.alloc(1_000_000))
  upload.end()
  await until('it is read', () => upload.readableEnded)
})

t.test('a faulty definition is refused with every fault', async t => {
  const store = createPackageStore(tempDir(t), LIMITS)
  const bad = tarOf([{ path: 'service.yaml', content: SERVICE.replace('8080', '99999').replace('command', 'comand') }])
  await t.rejects(bad(store), {
    code: 'invalid_definition',
    message: /service.yaml:5:5 roles.web.comand.*\nservice.yaml:7:32 /,
    details: { faults: [{ line: 5 }, { line: 7, path: 'roles.web.endpoints.http.port' }] },
  })
  const config = tarOf([service, { path: 'service.config.yaml', content: 'roles: { wep: {} }' }])
  await t.rejects(config(store), { code: 'invalid_configuration', message: /write web/ })
})

t.test('a directory is held to the same rules', async t => {
  const add = (entries: readonly RawEntry[]) => async () =>
    readPackage(writeTree(tempDir(t), [service, ...entries]), LIMITS)
  await refuses(t, add([link('l', '/etc/passwd')]), 'invalid_package', /only relative links/)
  await refuses(t, add([file('a'), file('A')]), 'invalid_package', /only in case/)
  await refuses(t, add([{ path: 'a', content: 'x'.repeat(100_001) }]), 'package_too_large', /bytes/)
})

t.test('set-user-id and foreign permission bits do not come through', async t => {
  const into = join(tempDir(t), 'out')
  const entries: RawEntry[] = [
    { path: 'run', content: '#!', mode: 0o6755 },
    { path: 'data', content: 'x', mode: 0o7666 },
    { path: 'd', type: 'Directory', mode: 0o7777 },
  ]
  await unpackTar(Readable.from([rawTar(entries)]), into)
  t.equal(statSync(join(into, 'run')).mode & 0o7777, 0o755)
  t.equal(statSync(join(into, 'data')).mode & 0o7777, 0o644)
  t.equal(statSync(join(into, 'd')).mode & 0o7000, 0)
  await t.rejects(unpackTar(Readable.from([rawTar(entries)]), into), /is not empty/)
})

t.test('links inside the package work and are never written through', async t => {
  const into = join(tempDir(t), 'out')
  await unpackTar(
    Readable.from([
      rawTar([
        link('bin/tool', '../lib/tool.js'),
        { path: 'lib/tool.js', content: 'tool' },
        { path: 'copy', type: 'Link', linkpath: './lib/tool.js' },
      ]),
    ]),
    into,
  )
  t.equal(readFileSync(join(into, 'bin/tool'), 'utf8'), 'tool')
  t.equal(readFileSync(join(into, 'copy'), 'utf8'), 'tool')
  t.notOk(existsSync(join(into, '..', 'lib')))
})
