import {
  openSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
  closeSync,
  mkdirSync,
  existsSync,
} from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import * as tar from 'tar'
import t from 'tap'
import { readLog } from '../../../agents/log-reader.ts'
import { rotateLog } from '../../../agents/logs.ts'
import { PackageCache } from '../../../agents/package-cache.ts'
import { unpack, type PackageSource } from '../../../agents/package-source.ts'
import { loadAssignment } from '../../../agents/node-state.ts'
import { readRecord } from '../../../agents/run-record.ts'
import { tempDir } from '../../support/temp.ts'
import { until } from '../../support/until.ts'

t.test('rotation keeps the end of a log, three generations, and its open writer', async t => {
  const path = join(tempDir(t), 'output.log')
  const writer = openSync(path, 'a')
  t.teardown(() => closeSync(writer))
  for (const letter of 'abcde') {
    writeSync(writer, letter.repeat(150))
    t.ok(await rotateLog(path, 100))
    t.equal(statSync(path).size, 0)
  }
  writeSync(writer, 'end')
  t.notOk(await rotateLog(path, 100))
  t.equal(readFileSync(path, 'utf8'), 'end', 'no hole where the writer was before')
  t.same(
    [1, 2, 3].map(n => readFileSync(`${path}.${n}`, 'utf8')),
    ['e', 'd', 'c'].map(letter => letter.repeat(100)),
  )
  t.notOk(existsSync(`${path}.4`))
})

t.test('a log is read from its tail over a rotation, whole characters, and followed past one', async t => {
  const path = join(tempDir(t), 'output.log')
  writeFileSync(`${path}.1`, 'older ')
  writeFileSync(path, 'newer é')
  const read = async (tail: number): Promise<string> => {
    let text = ''
    const write = async (piece: string): Promise<void> => {
      text += piece
    }
    await readLog({ path, tail, follow: false, signal: new AbortController().signal, write })
    return text
  }
  t.equal(await read(1000), 'older newer é')
  t.equal(await read(10), 'r newer é')
  t.equal(await read(2), 'é')
  t.equal(await read(0), '')

  let seen = ''
  const abort = new AbortController()
  const write = async (piece: string): Promise<void> => {
    seen += piece
  }
  const following = readLog({ path, tail: 2, follow: true, signal: abort.signal, write })
  await until('it has begun', () => seen === 'é')
  writeFileSync(path, ' one', { flag: 'a' })
  await until('it follows', () => seen === 'é one')
  await rotateLog(path, 1)
  writeFileSync(path, 'two', { flag: 'a' })
  await until('it goes on after a rotation', () => seen === 'é onetwo')
  abort.abort()
  await following
})

t.test('an archive with anything that leaves its folder is refused', async t => {
  const source = tempDir(t)
  writeFileSync(join(source, 'file'), 'x')
  symlinkSync('/etc/passwd', join(source, 'absolute'))
  symlinkSync('../../up', join(source, 'upwards'))
  symlinkSync('file', join(source, 'inward'))
  const into = (name: string): string => join(source, 'into', name)
  const pack = (...names: string[]): Readable => Readable.from(tar.create({ cwd: source, portable: true }, names))
  await unpack(pack('file', 'inward'), into('good'))
  t.equal(readFileSync(join(into('good'), 'inward'), 'utf8'), 'x')
  await t.rejects(unpack(pack('absolute'), into('a')), { code: 'invalid_package', message: /points out/ })
  await t.rejects(unpack(pack('upwards'), into('b')), { code: 'invalid_package', message: /points out/ })
  mkdirSync(join(source, 'deep'))
  const slip = Readable.from(
    tar.create({ cwd: join(source, 'deep'), portable: true, preservePaths: true }, ['../file']),
  )
  await t.rejects(unpack(slip, into('c')))
  t.notOk(existsSync(join(source, 'into', 'file')))
})

t.test('a package is used only when its content has its digest, and is fetched once', async t => {
  const directory = tempDir(t)
  const good = 'a'.repeat(64)
  const bad = 'b'.repeat(64)
  const calls: string[] = []
  const source: PackageSource = {
    fetch: async (digest, into) => {
      calls.push(digest)
      writeFileSync(join(into, 'content'), good)
    },
  }
  const digestOf = async (path: string): Promise<string> => readFileSync(join(path, 'content'), 'utf8')
  const make = (): PackageCache => new PackageCache({ directory, source, digestOf, onChange: () => {} })
  const cache = make()
  const [path] = await Promise.all([cache.ensure(good), cache.ensure(good)])
  t.equal(path, join(directory, good))
  t.same(calls, [good])
  await t.rejects(cache.ensure(bad), { code: 'invalid_package' })
  t.match(cache.errors[bad], /not used/)
  t.same(cache.verified, [good])
  t.notOk(existsSync(join(directory, bad)))
  await t.rejects(cache.ensure('../up'), { code: 'invalid_package' })

  writeFileSync(join(directory, good, 'content'), 'torn')
  await make().ensure(good)
  t.equal(calls.filter(digest => digest === good).length, 2, 'a torn one is fetched again by the next agent')
  await cache.retain(new Set())
  t.notOk(existsSync(join(directory, good)))
})

t.test('a damaged state file or record is set aside, never taken for nothing silently', t => {
  const directory = tempDir(t)
  const path = join(directory, 'agent.json')
  t.same(loadAssignment(path), { assignment: null, damaged: false })
  for (const text of ['', '{', 'null', '{"schema":1,"assignment":{}}']) {
    writeFileSync(path, text)
    t.same(loadAssignment(path), { assignment: null, damaged: true }, JSON.stringify(text))
    t.notOk(existsSync(path))
  }
  const record = join(directory, 'process.json')
  t.equal(readRecord(record), null)
  writeFileSync(record, '{"schema":2}')
  t.equal(readRecord(record), null)
  t.ok(existsSync(`${record}.damaged`))
  t.end()
})
