import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  closeSync,
  constants,
  existsSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { LogClock } from '../../../proxy/access-log/log-clock.ts'
import { LogFile } from '../../../proxy/access-log/log-file.ts'
import { rotateAccessLog } from '../../../proxy/access-log/rotation.ts'
import { tempDir } from '../../support/temp.ts'
import { until } from '../../support/until.ts'

interface Test {
  teardown(fn: () => unknown): void
}

async function openLog(t: Test, path: string, troubles: string[] = [], maxWaiting?: number): Promise<LogFile> {
  const file = new LogFile(path, problem => troubles.push(problem), maxWaiting)
  t.teardown(async () => file.close())
  await until('it is open', () => file.ready)
  return file
}

const read = (path: string): string => (existsSync(path) ? readFileSync(path, 'latin1') : '')

void t.test('a file that was renamed, removed or truncated goes on under its name', async t => {
  const path = join(tempDir(t), 'access.log')
  const file = await openLog(t, path)
  const say = async (line: string, expected: string): Promise<void> => {
    file.write(Buffer.from(`${line}\n`), 1)
    await until(`${line} is there`, () => read(path) === expected)
  }
  await say('one', 'one\n')
  renameSync(path, `${path}.1`)
  file.write(Buffer.from('two\n'), 1)
  await until('the last goes to the old file', () => read(`${path}.1`) === 'one\ntwo\n')
  file.look()
  await until('there is a new one', () => existsSync(path))
  await until('it is used', () => {
    file.write(Buffer.from('x\n'), 1)
    return read(path) !== ''
  })
  truncateSync(path)
  await until('it begins at its start', () => {
    file.write(Buffer.from('y\n'), 1)
    return /^[xy\n]*y\n$/.test(read(path))
  })
  rmSync(path)
  file.look()
  await until('it is made again', () => existsSync(path))
  t.equal(file.dropped, 0)
})

void t.test('what a slow reader does not take is dropped and counted, whole lines only', async t => {
  const path = join(tempDir(t), 'access.log')
  execFileSync('mkfifo', [path])
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  const troubles: string[] = []
  const file = await openLog(t, path, troubles, 512 * 1024)
  const lines = Array.from({ length: 1000 }, (_, n) => `${String(n).padStart(63, '.')}\n`).join('')
  let said = 0
  while (file.dropped < 5000) {
    file.write(Buffer.from(lines), 1000)
    said += 1000
    if (said % 100_000 === 0) await new Promise(setImmediate)
  }
  t.match(troubles, ['lines are dropped: the file is not written fast enough'])
  t.ok((said - file.dropped) * 64 <= 640 * 1024, 'what waits is bounded')
  let got = 0
  let torn = 0
  const buffer = Buffer.alloc(64 * 1024)
  await until(
    'the rest comes whole',
    () => {
      for (;;) {
        let length = 0
        try {
          length = readSync(reader, buffer)
        } catch {
          break
        }
        if (length === 0) break
        got += length
        const text = buffer.latin1Slice(0, length)
        if (/[^.\d\n]/.test(text)) torn++
      }
      return got === (said - file.dropped) * 64
    },
    { timeoutMs: 60_000, intervalMs: 1 },
  )
  t.equal(torn, 0)
  closeSync(reader)
})

void t.test('a full disk is told once, and lines go on when there is room', async t => {
  const troubles: string[] = []
  const file = await openLog(t, '/dev/full', troubles)
  for (let n = 0; n < 20; n++) {
    file.write(Buffer.from('line\n'), 1)
    await new Promise(setImmediate)
  }
  await until('it is told', () => troubles.length > 0)
  t.match(troubles.length, 1)
  t.match(troubles[0], /ENOSPC/)
})

void t.test('a folder that is not there is told, and tried again', async t => {
  const folder = tempDir(t)
  const path = join(folder, 'later', 'access.log')
  const troubles: string[] = []
  const file = new LogFile(path, problem => troubles.push(problem))
  t.teardown(async () => file.close())
  await until('it is told', () => troubles.length > 0)
  file.write(Buffer.from('lost\n'), 1)
  t.equal(file.dropped, 1)
  execFileSync('mkdir', [join(folder, 'later')])
  await until('it is open', () => {
    file.look()
    return file.ready
  })
  file.write(Buffer.from('kept\n'), 1)
  await file.close()
  t.equal(read(path), 'kept\n')
})

void t.test('rotation keeps five', async t => {
  const path = join(tempDir(t), 'access.log')
  t.notOk(rotateAccessLog(path, 10), 'nothing there')
  for (let n = 0; n < 8; n++) {
    writeFileSync(path, `${n}`)
    t.notOk(rotateAccessLog(path, 10), 'too small')
    appendFileSync(path, '-'.repeat(10))
    t.ok(rotateAccessLog(path, 10))
    t.notOk(existsSync(path))
  }
  t.same(
    [1, 2, 3, 4, 5].map(n => read(`${path}.${n}`)[0]),
    ['7', '6', '5', '4', '3'],
  )
  t.notOk(existsSync(`${path}.6`))
  t.equal(statSync(`${path}.1`).size, 11)
})

void t.test('the time as logs have it', t => {
  const clock = new LogClock()
  const moment = Date.UTC(2000, 9, 10, 13, 55, 36)
  t.equal(clock.iso(moment + 7), '2000-10-10T13:55:36.007Z')
  t.equal(clock.iso(moment + 42), '2000-10-10T13:55:36.042Z')
  t.equal(clock.iso(moment + 1420), '2000-10-10T13:55:37.420Z')
  t.equal(clock.common(moment), '[10/Oct/2000:13:55:36 +0000]')
  t.end()
})
