import { execFileSync } from 'node:child_process'
import { PassThrough } from 'node:stream'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { formatAddress, parseAddress } from '../../../src/core/address.ts'
import { writeFileAtomic } from '../../../src/core/atomic-file.ts'
import { backoffDelay } from '../../../src/core/backoff.ts'
import { createSystemClock } from '../../../src/core/clock.ts'
import { formatDuration, parseDuration } from '../../../src/core/duration.ts'
import { identify, isAlive, parseStat, readProcess, signalProcess } from '../../../src/core/process-identity.ts'
import { whyNotJson } from '../../../src/core/json-error.ts'
import { jsonLines } from '../../../src/core/json-lines.ts'
import { tempDir } from '../../support/temp.ts'

t.test('durations read as people write them', async t => {
  for (const [text, ms] of [
    ['500ms', 500],
    ['30s', 30_000],
    ['5m', 300_000],
    ['1h30m', 5_400_000],
    ['0s', 0],
  ] as const) {
    t.equal(parseDuration(text), ms, text)
  }
  t.equal(parseDuration('24d'), 2_073_600_000)
  t.throws(() => parseDuration('24d1ms'), { code: 'invalid_request', message: /at most 24d/ })
  for (const wrong of ['', '30', 's', '1.5s', '-1s', '30 s']) {
    t.throws(() => parseDuration(wrong), { code: 'invalid_request', message: /500ms, 30s/ }, JSON.stringify(wrong))
  }
})

t.test('a duration survives being written and read', async () => {
  fc.assert(fc.property(fc.nat(100 * 3_600_000), ms => parseDuration(formatDuration(ms)) === ms))
})

t.test('back-off doubles up to its cap and spreads over its upper half', async t => {
  const options = { firstMs: 100, capMs: 1000 }
  t.same(
    [0, 1, 2, 3, 4, 5000].map(attempt => backoffDelay(attempt, options)),
    [100, 200, 400, 800, 1000, 1000],
  )
  t.equal(backoffDelay(2, options, 0), 200)
})

t.test('the clock of a machine never runs backwards and names its boot', async t => {
  const clock = createSystemClock()
  const [a, b] = [clock.now(), clock.now()]
  t.ok(b.mono >= a.mono)
  t.equal(a.bootId, b.bootId)
  const word =
    process.platform === 'darwin'
      ? execFileSync('/usr/sbin/sysctl', ['-n', 'kern.bootsessionuuid'], { encoding: 'utf8' })
      : readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')
  t.equal(a.bootId, word.trim(), "the system's own word for it, the same to every process")
})

t.test('a file is replaced whole, with no temporary left', async t => {
  const directory = tempDir(t)
  const path = join(directory, 'state.json')
  writeFileAtomic(path, 'one')
  writeFileAtomic(path, 'two')
  t.equal(readFileSync(path, 'utf8'), 'two')
  t.same(readdirSync(directory), ['state.json'])
})

t.test('why a text is not JSON is said without a piece of it', async t => {
  for (const [text, why] of [
    ['{"key": secret}', /^Unexpected token 's'$/],
    [
      `{"a": 1, "key": "${'x'.repeat(100)}" secret }`,
      /^Expected ',' or '}' after property value in JSON at position \d+/,
    ],
    [`${' '.repeat(100)}"one" secret and more of it after that, so that the middle is cited`, /^Unexpected /],
    ['', /^Unexpected end of JSON input$/],
  ] as const) {
    try {
      JSON.parse(text)
      t.fail('it is not JSON')
    } catch (error) {
      t.match(whyNotJson(error), why)
      t.notMatch(whyNotJson(error), /secret/)
    }
  }
})

t.test('a process is told from a later one of the same pid, and a zombie from one whose threads go on', async t => {
  const mine = identify(process.pid)
  if (mine === null) throw new Error('this process runs')
  t.ok(isAlive(mine))
  for (const other of [
    { ...mine, startTime: '1' },
    { ...mine, bootId: 'another' },
  ]) {
    t.notOk(isAlive(other))
    t.notOk(signalProcess(other, 'SIGKILL'), 'a stranger gets no signal')
  }
  t.match(readProcess(process.pid), { pid: process.pid, parent: process.ppid, alive: true })
  t.equal(readProcess(2 ** 22 + 1), null)
  t.equal(identify(2 ** 22 + 1), null)

  // proc(5), with a name that looks like the fields behind it.
  const stat = (state: string, threads: number): string =>
    `7 (a) Z 9 9) ${state} 3 7 7 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 ${threads} 0 4711 0 0`
  t.same(parseStat(7, stat('S', 1)), { pid: 7, parent: 3, group: 7, startTime: '4711', alive: true })
  t.notOk(parseStat(7, stat('Z', 1)).alive)
  t.ok(parseStat(7, stat('Z', 2)).alive, 'the main thread has ended, another still holds its sockets')
  t.notOk(parseStat(7, stat('X', 1)).alive)
})

t.test('addresses read as people write them', async t => {
  for (const [text, host, port] of [
    ['127.0.0.1:9090', '127.0.0.1', 9090],
    ['http://localhost:80/', 'localhost', 80],
    [':9090', '127.0.0.1', 9090],
    ['9090', '127.0.0.1', 9090],
    ['[::1]:0', '::1', 0],
  ] as const) {
    const address = parseAddress(text)
    t.same(address, { host, port }, text)
    t.same(parseAddress(formatAddress(address)), address)
  }
  for (const text of ['', 'localhost', '127.0.0.1:65536', '::1:9090', '127.0.0.1:x']) {
    t.throws(() => parseAddress(text), { code: 'usage', message: /write HOST:PORT/ }, text)
  }
})

t.test('JSON lines arrive whole and in order however they are cut', async t => {
  const values = [{ text: 'ä€😀' }, [1, 2], 'x']
  const bytes = Buffer.from(values.map(value => `${JSON.stringify(value)}\n`).join(''))
  for (const size of [1, 2, 3, 7, bytes.length]) {
    const stream = new PassThrough()
    const seen: unknown[] = []
    const closed = new Promise(resolve => {
      jsonLines(stream, { onValue: value => seen.push(value), onClose: resolve })
    })
    for (let at = 0; at < bytes.length; at += size) stream.write(bytes.subarray(at, at + size))
    stream.end()
    await closed
    t.same(seen, values, `cut every ${size} bytes`)
  }
})

t.test('a long line in many pieces costs what its bytes cost, not their square', async t => {
  const stream = new PassThrough()
  const text = 'x'.repeat(8 * 1024 * 1024)
  const bytes = Buffer.from(`${JSON.stringify(text)}\n`)
  const before = process.cpuUsage()
  const seen = await new Promise(resolve => {
    jsonLines(stream, { onValue: resolve, onClose: () => {} })
    for (let at = 0; at < bytes.length; at += 1024) stream.emit('data', bytes.subarray(at, at + 1024))
  })
  const { user } = process.cpuUsage(before)
  t.comment(`${user / 1000} ms`)
  t.ok(seen === text)
  t.ok(user < 1_000_000, `${user / 1000} ms of a processor`)
})

t.test('a line that is not JSON closes the stream and says so', async t => {
  const stream = new PassThrough()
  const reason = await new Promise<Error | undefined>(resolve => {
    jsonLines(stream, { onValue: () => t.fail('nothing should arrive'), onClose: resolve })
    stream.write('{oops\n')
  })
  t.match(reason?.message, /not JSON/)
})
