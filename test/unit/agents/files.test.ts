import {
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
  closeSync,
  mkdirSync,
  existsSync,
} from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import * as tar from 'tar'
import t from 'tap'
import { readLog } from '../../../agents/log-reader.ts'
import { rotateLog } from '../../../agents/logs.ts'
import { PackageCache } from '../../../agents/package-cache.ts'
import { ControllerPackageSource, type PackageSource } from '../../../agents/package-source.ts'
import { VipswapError } from '../../../src/core/errors.ts'
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

t.test('a package comes over the socket whole, or it is told whether to try again', async t => {
  const directory = tempDir(t)
  const content = join(directory, 'content')
  mkdirSync(content)
  writeFileSync(join(content, 'file'), 'x'.repeat(100_000))
  symlinkSync('file', join(content, 'inward'))
  symlinkSync('../../up', join(content, 'upwards'))
  const archive = (...names: string[]): Buffer =>
    tar.create({ cwd: content, portable: true, sync: true }, names).read() ?? Buffer.of()
  const good = archive('file', 'inward')
  const bodies = new Map([
    ['/packages/good', good],
    ['/packages/climbs', archive('upwards')],
    ['/packages/short', good.subarray(0, 50_000)],
  ])
  const server = createServer((request, response) => {
    const body = bodies.get(request.url ?? '')
    if (body !== undefined) response.end(body)
    else if (request.url === '/packages/cut') response.write(good, () => request.socket.destroy())
    else response.writeHead(request.url === '/packages/trouble' ? 503 : 404).end()
  })
  const path = join(directory, 's')
  await new Promise<void>(resolve => {
    server.listen(path, resolve)
  })
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const source = new ControllerPackageSource({ kind: 'socket', path })
  const into = (name: string): string => join(directory, name)
  await source.fetch('good', into('good'))
  t.equal(readFileSync(join(into('good'), 'inward'), 'utf8').length, 100_000)
  await t.rejects(source.fetch('climbs', into('climbs')), { code: 'invalid_package', message: /leaves the package/ })
  await t.rejects(source.fetch('short', into('short')), { code: 'invalid_package' })
  await t.rejects(source.fetch('gone', into('gone')), { code: 'package_not_found' })
  for (const name of ['cut', 'trouble']) await t.rejects(source.fetch(name, into(name)), { code: 'unreachable' }, name)
  const nobody = new ControllerPackageSource({ kind: 'socket', path: join(directory, 'nobody') })
  await t.rejects(nobody.fetch('good', into('nobody')), { code: 'unreachable' })
})

const QUIET = { admit: async () => {}, onChange: () => {}, onTrouble: () => {} }

t.test('a package is used only when its content has its digest, and is fetched once', async t => {
  const directory = tempDir(t)
  const good = 'a'.repeat(64)
  const bad = 'b'.repeat(64)
  const calls: string[] = []
  const source: Pick<PackageSource, 'fetch'> = {
    fetch: async (digest, into) => {
      calls.push(digest)
      writeFileSync(join(into, 'content'), good)
    },
  }
  const digestOf = async (path: string): Promise<string> => readFileSync(join(path, 'content'), 'utf8')
  const make = (): PackageCache => new PackageCache({ ...QUIET, directory, source, digestOf })
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

t.test('a package that cannot be had just now is tried again and is no error; a wrong one is', async t => {
  const digest = 'a'.repeat(64)
  let state: 'away' | 'missing' | 'there' = 'away'
  let calls = 0
  const source: Pick<PackageSource, 'fetch'> = {
    fetch: async (_digest, into) => {
      calls += 1
      if (state === 'away') throw new VipswapError('unreachable', 'the controller restarts')
      if (state === 'missing') throw new VipswapError('package_not_found', 'it has none')
      writeFileSync(join(into, 'content'), digest)
    },
  }
  const digestOf = async (path: string): Promise<string> => readFileSync(join(path, 'content'), 'utf8')
  const cache = new PackageCache({ ...QUIET, directory: tempDir(t), source, digestOf })
  t.teardown(() => cache.close())
  cache.prefetch([digest])
  await until('it tries again', () => calls >= 2)
  t.same(cache.errors, {})
  state = 'missing'
  await until('it is told', () => cache.errors[digest] === 'it has none')
  state = 'away'
  const before = calls
  await until('it went away again', () => calls > before)
  t.same(cache.errors, { [digest]: 'it has none' }, 'what is known of the package is not forgotten by silence')
  state = 'there'
  await until('it is here', () => cache.verified.includes(digest))
  t.same(cache.errors, {})
})

t.test(
  'a package wanted again while others are removed stays, and what an earlier removal left is no hindrance',
  async t => {
    const directory = tempDir(t)
    const [first, second, third] = ['a', 'b', 'c'].map(letter => letter.repeat(64)) as [string, string, string] // as many as named
    let calls = 0
    const source: Pick<PackageSource, 'fetch'> = {
      fetch: async (digest, into) => {
        calls += 1
        writeFileSync(join(into, 'content'), digest)
      },
    }
    const digestOf = async (path: string): Promise<string> => readFileSync(join(path, 'content'), 'utf8')
    const cache = new PackageCache({ ...QUIET, directory, source, digestOf })
    t.teardown(() => cache.close())
    for (const digest of [first, second, third]) await cache.ensure(digest)
    for (const left of [`removed-${first}`, `new-${first}`]) {
      mkdirSync(join(directory, left))
      writeFileSync(join(directory, left, 'content'), 'half')
    }

    const removals = [cache.retain(new Set()), cache.retain(new Set([second]))]
    cache.prefetch([third])
    await Promise.all(removals)
    t.same(readdirSync(directory), [second, third])
    t.same(cache.verified, [second, third])

    // It is being deleted, and wanted meanwhile: fetched whole.
    const removal = cache.retain(new Set([third]))
    await until('it is on its way out', () => !existsSync(join(directory, second)))
    t.equal(await cache.ensure(second), join(directory, second))
    await removal
    t.equal(calls, 4)
    t.same(cache.errors, {})
    t.equal(await digestOf(join(directory, second)), second)
  },
)

t.test('trouble of this machine says nothing of a package, and is told once', async t => {
  const digest = 'a'.repeat(64)
  let full = true
  let calls = 0
  const source: Pick<PackageSource, 'fetch'> = {
    fetch: async (_digest, into) => {
      calls += 1
      if (full) throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
      writeFileSync(join(into, 'content'), digest)
    },
  }
  const digestOf = async (path: string): Promise<string> => readFileSync(join(path, 'content'), 'utf8')
  const told: string[] = []
  const onTrouble = (of: string, reason: string): void => void told.push(`${of.slice(0, 4)} ${reason}`)
  const cache = new PackageCache({ ...QUIET, onTrouble, directory: tempDir(t), source, digestOf })
  t.teardown(() => cache.close())
  cache.prefetch([digest])
  await until('it tries again', () => calls >= 3)
  t.same(cache.errors, {})
  t.same(told, ['aaaa ENOSPC: no space left on device, write'])
  full = false
  await until('it is here', () => cache.verified.includes(digest))
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
