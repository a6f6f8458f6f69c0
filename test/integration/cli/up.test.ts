import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { createLayout } from '../../../src/cli/up/layout.ts'
import { livingNames, readLive, type PidRecord } from '../../../src/cli/up/pid-file.ts'
import { supervise } from '../../../src/cli/up/supervised.ts'
import { identify, isAlive } from '../../../src/core/process-identity.ts'
import { tempDir } from '../../support/temp.ts'
import { until } from '../../support/until.ts'

const DRIVER = fileURLToPath(new URL('./fixtures/up-driver.js', import.meta.url))
t.setTimeout(120_000)
const ALL = ['controller', 'proxy-0', 'node-0', 'node-1']

interface Up {
  readonly child: ChildProcess
  readonly output: () => string
  readonly ended: Promise<number | string>
}

/** Below the ephemeral range: nobody else is given it between two controllers. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000)
    const server = createServer()
    const free = await new Promise<boolean>(resolve => {
      server.once('error', () => resolve(false))
      server.listen(port, '127.0.0.1', () => resolve(true))
    })
    await new Promise(resolve => server.close(resolve))
    if (free) return port
  }
}

/** A data folder whose processes all are gone at the end of the test. */
async function place(t: Test) {
  const data = mkdtempSync(join(tmpdir(), 'vs-'))
  const pids = join(data, 'run', 'pids')
  t.teardown(async () => {
    for (const name of ['up', ...ALL, 'node-2']) {
      const record = existsSync(pids) ? readLive(pids, name) : null
      if (record !== null) process.kill(record.pid, 'SIGKILL')
      if (record !== null) await until(`${name} is gone`, () => !isAlive(record))
    }
    rmSync(data, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 })
  })
  const port = await freePort()
  const start = (nodes = 2, ...more: string[]): Up => {
    const child = spawn(process.execPath, [DRIVER, data, String(port), String(nodes), ...more], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => (output += String(chunk)))
    child.stderr.on('data', (chunk: Buffer) => (output += String(chunk)))
    const ended = new Promise<number | string>(resolve => {
      child.once('close', (code, signal) => resolve(code ?? signal ?? ''))
    })
    t.teardown(() => child.kill('SIGKILL'))
    return { child, output: () => output, ended }
  }
  const ready = async (up: Up): Promise<void> => {
    await until(
      'up is ready',
      () => {
        if (up.child.exitCode !== null) throw new Error(up.output())
        return /^ready$/m.test(up.output())
      },
      { timeoutMs: 30_000 },
    )
  }
  const record = (name: string): PidRecord => {
    const found = readLive(pids, name)
    if (found === null) throw new Error(`${name} does not live`)
    return found
  }
  const lives = (): string[] =>
    existsSync(join(data, 'lives')) ? readFileSync(join(data, 'lives'), 'utf8').trim().split('\n') : []
  const started = async (names = ALL) =>
    until('all live', () => names.every(name => lives().some(line => line.startsWith(`${name} lives`))), {
      timeoutMs: 20_000,
    })
  return { data, port, start, ready, record, lives, started }
}

t.test('up starts everything and ends it in order', async t => {
  const { data, start, ready, record, lives, started, port } = await place(t)
  const up = start()
  await ready(up)
  await started()
  const records = ALL.map(record)
  t.equal(statSync(data).mode & 0o777, 0o700)
  t.equal(statSync(join(data, 'run')).mode & 0o777, 0o700)
  for (const { pid } of records) {
    t.equal(sessionOf(pid), pid, 'each in a session of its own')
  }

  await t.test('a second up on the same folder is refused', async t => {
    const second = start()
    t.equal(await second.ended, 1)
    t.match(second.output(), /vipswap up \(pid \d+\) runs on .* already/)
    t.strictSame(
      ALL.map(name => record(name).pid),
      records.map(each => each.pid),
    )
  })
  await t.test('what dies is started again, the first time at once', async () => {
    for (const name of ['node-1', 'controller']) {
      const before = record(name)
      process.kill(before.pid, 'SIGKILL')
      await until(
        `${name} lives again`,
        () => readLive(join(data, 'run', 'pids'), name)?.pid !== before.pid && record(name),
      )
      await until('it is told', () => up.output().includes(`${name} died (SIGKILL), started again at once`))
    }
    await until('the controller answers', async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).ok, {
      timeoutMs: 20_000,
    })
    await until('the agent is up again', () => lives().filter(line => line.startsWith('node-1 lives')).length === 2)
  })
  await t.test('the stop is written down before anybody is told', async t => {
    const last = ALL.map(record)
    up.child.kill('SIGINT')
    t.equal(await up.ended, 0)
    const ends = lives().filter(line => / (stopped|terminated) /.test(line))
    t.strictSame(
      ends.map(line => line.split(' ')[1]),
      ['stopped', 'stopped', 'stopped', 'stopped'],
    )
    t.strictSame(
      ends.map(line => line.split(' ')[0]?.replace(/\d$/, '')),
      ['node-', 'node-', 'proxy-', 'controller'],
    )
    t.ok(last.every(each => !isAlive(each)))
    t.notOk(existsSync(join(data, 'run', 'stop')))
    t.strictSame(readdirSync(join(data, 'run', 'pids')), [])
    t.ok(existsSync(join(data, 'logs', 'proxy-0.log')))
  })
})

t.test('up killed with -9 leaves everything running, and the next up adopts it', async t => {
  const { data, start, ready, record, lives, started } = await place(t)
  const first = start(3)
  await ready(first)
  await started([...ALL, 'node-2'])
  const before = [...ALL, 'node-2'].map(record)
  first.child.kill('SIGKILL')
  t.equal(await first.ended, 'SIGKILL')
  t.ok(before.every(each => isAlive(each)))

  const second = start(2)
  await ready(second)
  t.strictSame(
    [...ALL, 'node-2'].map(name => record(name).pid),
    before.map(each => each.pid),
    'the same processes, no node taken away',
  )
  t.match(second.output(), /proxy-0 adopted/)

  await t.test('and restarts an adopted process that dies', async () => {
    const { pid } = record('proxy-0')
    process.kill(pid, 'SIGKILL')
    await until('another proxy', () => readLive(join(data, 'run', 'pids'), 'proxy-0')?.pid !== pid && record('proxy-0'))
    await until('it is up', () => lives().filter(line => line.startsWith('proxy-0 lives')).length === 2)
    await until('it is told', () => second.output().includes('proxy-0 died (it ended), started again at once'))
  })
  second.child.kill('SIGTERM')
  t.equal(await second.ended, 0)
  t.equal(lives().filter(line => line.includes(' stopped ')).length, 5)
  t.ok(before.every(each => !isAlive(each)))
})

t.test('the proxy gets its number of workers; one that lives keeps its own, which is told', async t => {
  const { start, ready, record } = await place(t)
  const first = start(1, '', '3')
  await ready(first)
  t.strictSame(record('proxy-0').args.slice(-2), ['--workers', '3'])
  first.child.kill('SIGKILL')
  await first.ended
  const second = start(1, '', '2')
  await ready(second)
  t.match(second.output(), /proxy-0 adopted \(pid \d+\), with other arguments/)
  t.match(second.output(), /node-0 adopted \(pid \d+\)$/m)
  second.child.kill('SIGTERM')
  t.equal(await second.ended, 0)
})

t.test('the next up renews what it would start otherwise, and says why', async t => {
  const { data, start, ready, record, lives, started } = await place(t)
  const parts = ['controller', 'proxy-0', 'node-0']
  const rewrite = (name: string, change: object): void =>
    writeFileSync(join(data, 'run', 'pids', `${name}.json`), JSON.stringify({ ...record(name), ...change }))
  const first = start(1, '', '1', 'a')
  await ready(first)
  await started(parts)
  const before = new Map(parts.map(name => [name, record(name)]))

  await t.test('the controller, for another content of its configuration; nothing else', async t => {
    const second = start(1, '', '1', 'b', 'replace')
    await ready(second)
    t.equal(await first.ended, 'SIGKILL')
    t.match(second.output(), `up takes the place of pid ${first.child.pid}\n`)
    const old = before.get('controller')
    t.match(second.output(), `controller renewed: pid ${old?.pid} was with an earlier content of its configuration\n`)
    t.match(second.output(), /controller started/)
    t.match(second.output(), /proxy-0 adopted \(pid \d+\)$/m)
    t.match(second.output(), /node-0 adopted \(pid \d+\)$/m)
    t.equal(record('controller').configuration, 'b')
    second.child.kill('SIGKILL')
    await second.ended
  })
  await t.test('all of another version, or from another place', async t => {
    rewrite('controller', { version: '0.0.1' })
    rewrite('node-0', { script: '/gone/main.js' })
    rewrite('proxy-0', { version: undefined })
    const third = start(1, '', '1', 'b')
    await ready(third)
    t.match(third.output(), /controller renewed: pid \d+ was of version 0\.0\.1, this is /)
    t.match(third.output(), /node-0 renewed: pid \d+ was from \/gone\/main\.js, not /)
    t.match(
      third.output(),
      /proxy-0 adopted \(pid \d+\), of version unknown, this is /,
      'the stand-in has no successor',
    )
    await until('the agent lives anew', () => lives().filter(line => line.startsWith('node-0 lives')).length === 2)
    t.not(record('node-0').pid, before.get('node-0')?.pid)
    t.equal(record('proxy-0').pid, before.get('proxy-0')?.pid)
    t.same(
      lives().filter(line => line.includes('stopped')),
      [],
      'they were told to leave, not to stop what they run',
    )
    third.child.kill('SIGTERM')
    t.equal(await third.ended, 0)
  })
})

t.test('a node that ran here before comes back, wanted or not', async t => {
  const { data, start, ready, record, lives, started } = await place(t)
  for (const name of ['node-2', 'rack-1']) mkdirSync(join(data, 'nodes', name), { recursive: true })
  const up = start(2)
  await ready(up)
  await started([...ALL, 'node-2'])
  t.ok(isAlive(record('node-2')))
  up.child.kill('SIGTERM')
  t.equal(await up.ended, 0)
  t.equal(lives().filter(line => line.includes(' stopped ')).length, 5)
  t.notMatch(up.output(), /rack-1/, 'which somebody else runs')
})

t.test('a stop that was cut short is finished by the next up, which then starts afresh', async t => {
  const { data, start, ready, record, lives, started } = await place(t)
  const first = start()
  await ready(first)
  await started()
  const before = ALL.map(record)
  first.child.kill('SIGKILL')
  await first.ended
  writeFileSync(join(data, 'run', 'stop'), '')
  const second = start()
  await ready(second)
  await until('all live anew', () => lives().filter(line => line.includes(' lives ')).length === 8, {
    timeoutMs: 20_000,
  })
  t.ok(before.every(each => !isAlive(each)))
  t.match(second.output(), /proxy-0 started/)
  t.notOk(existsSync(join(data, 'run', 'stop')))
  second.child.kill('SIGTERM')
  t.equal(await second.ended, 0)
})

t.test('what ends by the stop file before it is told is not started again', async t => {
  const { data, start, ready, lives, started } = await place(t)
  writeFileSync(join(data, 'proxy-0.polls'), '')
  writeFileSync(join(data, 'node-0.lingers'), '')
  const up = start(1)
  await ready(up)
  await started(['controller', 'proxy-0', 'node-0'])
  up.child.kill('SIGINT')
  t.equal(await up.ended, 0)
  t.equal(lives().filter(line => line.startsWith('proxy-0 lives')).length, 1)
  t.notMatch(up.output(), /died/)
})

t.test('what cannot come up is told, and nothing is left running', async t => {
  await t.test('an admin address in use', async t => {
    const { start, port, data } = await place(t)
    const server = createServer().listen(port, '127.0.0.1')
    await new Promise(resolve => server.once('listening', resolve))
    const up = start()
    t.equal(await up.ended, 1)
    t.match(up.output(), new RegExp(`vipswap: the admin address 127.0.0.1:${port} is in use`))
    t.strictSame(readdirSync(join(data, 'run', 'pids')), [])
    await new Promise(resolve => server.close(resolve))
  })
  await t.test('a controller that dies at once, with the end of its log', async t => {
    const { start, data, lives } = await place(t)
    writeFileSync(join(data, 'controller.dies'), '')
    const up = start()
    t.equal(await up.ended, 1)
    t.match(up.output(), /controller dies at once, its log ends:\n  controller cannot live like this/)
    t.notMatch(lives().join('\n'), /terminated/)
    t.strictSame(readdirSync(join(data, 'run', 'pids')), [])
  })
})

t.test('a package is deployed once, and resumed after', async t => {
  const { start, ready, data } = await place(t)
  const source = tempDir(t)
  writeFileSync(
    join(source, 'service.yaml'),
    'name: guestbook\nversion: 1.0.0\nroles:\n  web: { command: "true", instances: 2 }\n',
  )
  const up = start(1, source)
  await ready(up)
  t.match(up.output(), /deploying guestbook 1\.0\.0 to production/)
  up.child.kill('SIGKILL')
  await up.ended
  const again = start(1, source)
  await ready(again)
  t.match(again.output(), /production holds guestbook 1\.0\.0 already; resumed/)
  again.child.kill('SIGTERM')
  t.equal(await again.ended, 0)
  t.ok(existsSync(data))
})

t.test('a process that does not end in time keeps nobody waiting, and can still be killed', async t => {
  const root = tempDir(t)
  const script = join(root, 'stubborn.js')
  writeFileSync(script, "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); console.log('up')")
  const layout = createLayout(join(root, 'data'))
  const begin = () => supervise({ name: 'stubborn', script, args: [] }, layout, () => {})
  const own = begin()
  t.teardown(() => own.kill())
  await until('it is up', () => readFileSync(join(layout.logs, 'stubborn.log'), 'utf8') === 'up\n')
  const adopted = begin()
  t.equal(adopted.pid(), own.pid())
  for (const each of [adopted, own]) t.equal(await each.stop(300), false)
  t.notOk(process.getActiveResourcesInfo().includes('ProcessWrap'), 'a child in the way would hold this process')
  own.kill()
  t.strictSame(await Promise.all([own.stop(10_000), adopted.stop(10_000)]), [true, true])
})

t.test('a successor that takes the place of a process just as that is told to end is told too', async t => {
  const root = tempDir(t)
  const layout = createLayout(join(root, 'data'))
  const script = join(root, 'replaced.js')
  const identity = fileURLToPath(new URL('../../../src/core/process-identity.js', import.meta.url))
  // Told to end it starts another of itself, which puts itself into the pid file; only then it ends.
  writeFileSync(
    script,
    `const { spawn } = require('node:child_process')
    const { writeFileSync } = require('node:fs')
    const [, own, pidFile, isSuccessor] = process.argv
    setInterval(() => {}, 1000)
    if (isSuccessor) {
      process.on('SIGTERM', () => process.exit(0))
      import(${JSON.stringify(identity)}).then(({ identify }) => {
        writeFileSync(pidFile, JSON.stringify({ ...identify(process.pid), name: 'replaced', args: [] }))
        process.send('serves')
        process.disconnect()
      })
    } else {
      process.on('SIGTERM', () => {
        const stdio = ['ignore', 'inherit', 'inherit', 'ipc']
        const successor = spawn(process.execPath, [own, pidFile, 'yes'], { detached: true, stdio })
        successor.on('message', () => process.exit(0))
      })
      console.log('up')
    }`,
  )
  const pidFile = join(layout.pids, 'replaced.json')
  const events: string[] = []
  const part = { name: 'replaced', script, args: [pidFile] }
  const own = supervise(part, layout, event => events.push(event.kind))
  t.teardown(() => own.kill())
  await until('it is up', () => readFileSync(join(layout.logs, 'replaced.log'), 'utf8') === 'up\n')
  t.equal(await own.stop(20_000), true)
  t.strictSame(events, ['started', 'replaced'])
  t.equal(readLive(layout.pids, 'replaced'), null)
})

t.test('the run folder moves where socket paths would be too long', t => {
  const root = tempDir(t)
  const layout = createLayout(join(root, 'short'), root)
  t.equal(layout.run, join(root, 'short', 'run'))
  const deep = join(root, 'd'.repeat(90))
  const moved = createLayout(deep, root)
  t.match(moved.run, /\/vipswap-[0-9a-f]{12}$/)
  t.equal(moved.pids, join(deep, 'run', 'pids'))
  t.equal(createLayout(deep, root).run, moved.run)
  t.equal(statSync(moved.run).mode & 0o777, 0o700)
  rmSync(moved.run, { recursive: true })
  writeFileSync(moved.run, '')
  t.throws(() => createLayout(deep, root))
  t.end()
})

t.test('a process is known by more than its pid', t => {
  const own = identify(process.pid)
  if (own === null) throw new Error('no identity of this process')
  t.ok(isAlive(own))
  t.notOk(isAlive({ ...own, startTime: '1' }))
  t.notOk(isAlive({ ...own, bootId: 'another' }))
  const pids = join(tempDir(t), 'pids')
  mkdirSync(pids)
  writeFileSync(join(pids, 'x.json'), JSON.stringify({ ...own, name: 'x', args: [] }))
  writeFileSync(join(pids, 'y.json'), JSON.stringify({ ...own, startTime: '1', name: 'y', args: [] }))
  t.match(readLive(pids, 'x'), { pid: process.pid })
  t.strictSame(livingNames(pids), ['x'])
  t.strictSame(livingNames(join(pids, 'never')), [])
  writeFileSync(join(pids, 'x.json'), '{"pid":')
  t.equal(readLive(pids, 'x'), null)
  t.end()
})

/** Session id of a process: the 6th field of proc(5)'s stat. */
function sessionOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3])
}

t.test('an agent that is down when the end is wanted is started to end what it left', async t => {
  const { data, start, ready, record, lives, started } = await place(t)
  writeFileSync(join(data, 'node-0.polls'), '')
  const up = start()
  await ready(up)
  await started()
  writeFileSync(join(data, 'node-0.dies'), '')
  process.kill(record('node-0').pid, 'SIGKILL')
  await until('its next start is some time away', () => /node-0 died .*, started again in \d{4} ms/.test(up.output()))
  rmSync(join(data, 'node-0.dies'))
  up.child.kill('SIGINT')
  t.equal(await up.ended, 0)
  t.equal(lives().filter(line => line.startsWith('node-0 lives')).length, 2, up.output())
})
