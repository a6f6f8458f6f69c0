import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { HookFacts, TaskReport } from '../../../src/contracts/task.ts'
import { runHook } from '../../../src/controller/tasks/run-hook.ts'
import { Traffic } from '../../../src/controller/tasks/verifier/traffic.ts'
import { warm } from '../../../src/controller/tasks/warm.ts'
import type { Hook } from '../../../src/model/hooks.ts'
import { tempDir } from '../../support/temp.ts'
import { until } from '../../support/until.ts'

const FACTS: HookFacts = {
  event: 'pre-domain',
  operation: 'op-7',
  kind: 'upgrade',
  service: 'shop',
  slot: 'production',
  deployment: 'd1',
  domain: 2,
  fromVersion: '1.0.0',
  toVersion: '2.0.0',
  revision: '1.42',
}

async function serve(t: Test, listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const command = (script: string, over: Partial<Hook> = {}): Hook =>
  ({ kind: 'command', command: [process.execPath, '-e', script], timeoutMs: 30_000, intervalMs: 1, ...over }) as Hook // a command with other times

/** Not one that has ended and that nobody has asked for. */
function isAlive(pid: string): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

async function ask(hook: Hook, retry = false): Promise<TaskReport[]> {
  const said: TaskReport[] = []
  await runHook(hook, { facts: FACTS, retry }, report => said.push(report), new AbortController().signal)
  return said
}

t.test('a command: exit 0 is yes, its words are kept, bounded', async t => {
  t.match(await ask(command('console.log(process.env.VIPSWAP_SERVICE, process.env.VIPSWAP_DOMAIN)')), [
    { kind: 'done', ok: true, detail: 'exit 0: shop 2' },
  ])
  const [said] = await ask(command('console.log("x".repeat(100000) + "end")'))
  t.ok(said?.kind === 'done' && said.detail.length < 1100 && said.detail.endsWith('end'))
})

t.test('what a hook says cannot steer a terminal, and stays on one line', async t => {
  const words = '\\u001b[2J\\u001b[31mred\\u001b[0m\\n\\u0000second\\r\\tline\\u009b5A'
  t.match(await ask(command(`console.log("${words}"); process.exit(4)`)), [{ detail: 'exit 4: red second line' }])
  const url = await serve(t, (_request, response) => response.writeHead(500).end('a\u001b[1A\u0007\nb'))
  t.match(await ask({ kind: 'url', url, method: 'GET', timeoutMs: 5000, intervalMs: 1 }), [{ detail: '500: a b' }])
})

t.test('what has left the group of a command holds up nobody', async t => {
  const script = `
    const { spawn } = require('node:child_process')
    spawn(process.execPath, ['-e', 'setTimeout(() => {}, 8000)'], { detached: true, stdio: 'inherit' }).unref()
    console.log('gone on')`
  const begun = performance.now()
  t.match(await ask(command(script)), [{ ok: true, detail: 'exit 0: gone on' }])
  t.ok(performance.now() - begun < 7000)
})

t.test('a command gets the facts, no shell, and nothing else of the environment', async t => {
  process.env['SECRET'] = 'x'
  t.teardown(() => delete process.env['SECRET'])
  const script = `
    let text = ''
    process.stdin.on('data', part => { text += part }).on('end', () => {
      console.log(JSON.parse(text).revision, process.argv[1], Object.keys(process.env).includes('SECRET'))
    })`
  const hook = command(script)
  const [said] = await ask({ ...hook, command: [process.execPath, '-e', script, '$(id)'] } as Hook) // of kind command
  t.match(said, { ok: true, detail: 'exit 0: 1.42 $(id) false' })
})

t.test('a command that fails, is not there, or takes too long is a no', async t => {
  t.match(await ask(command('process.exit(1)')), [{ ok: false, detail: 'exit 1' }])
  t.match(await ask(command('console.error("bad"); process.exit(4)')), [{ ok: false, detail: 'exit 4: bad' }])
  t.match(await ask({ kind: 'command', command: ['/no/such'], timeoutMs: 1000, intervalMs: 1 }), [{ ok: false }])
  const forever = command('setInterval(() => {}, 1000)', { timeoutMs: 300 })
  t.match(await ask(forever), [{ ok: false, detail: /took longer than 300 ms/ }])
})

t.test('what a command has started ends with it, whether it listens or not', async t => {
  const pid = join(tempDir(t), 'pid')
  const script = `
    const child = require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
    process.on('SIGTERM', () => {})
    setInterval(() => {}, 1000)
    const fs = require('node:fs')
    fs.writeFileSync(${JSON.stringify(pid)} + '.new', String(child.pid))
    fs.renameSync(${JSON.stringify(pid)} + '.new', ${JSON.stringify(pid)})`
  const end = new AbortController()
  const running = runHook(command(script), { facts: FACTS, retry: false }, () => undefined, end.signal)
  const child = await until('it has started another', () => (existsSync(pid) ? readFileSync(pid, 'utf8') : null))
  end.abort()
  await running
  await until('what it started is gone, too', () => !isAlive(child))
})

t.test('a confirmation is asked until yes or no', async t => {
  const folder = tempDir(t)
  const file = join(folder, 'count')
  writeFileSync(file, '0')
  const script = (last: number): string => `
    const fs = require('node:fs')
    const count = Number(fs.readFileSync(${JSON.stringify(file)}, 'utf8')) + 1
    fs.writeFileSync(${JSON.stringify(file)}, String(count))
    process.exit(count % 3 === 0 ? ${last} : 1)`
  t.match(await ask(command(script(0)), true), [
    { kind: 'waiting', detail: 'exit 1' },
    { kind: 'waiting' },
    { kind: 'done', ok: true },
  ])
  t.match(await ask(command(script(2)), true), [
    { kind: 'waiting' },
    { kind: 'waiting' },
    { kind: 'done', ok: false, detail: 'exit 2' },
  ])
})

t.test('an HTTP call: 2xx is yes, 403 no, anything else not yet', async t => {
  const statuses = [503, 404, 204]
  const bodies: unknown[] = []
  const url = await serve(t, (request, response) => {
    let text = ''
    request.setEncoding('utf8').on('data', (part: string) => {
      text += part
    })
    request.on('end', () => {
      bodies.push(text === '' ? null : JSON.parse(text))
      response.statusCode = request.url === '/no' ? 403 : (statuses.shift() ?? 500)
      response.end('words')
    })
  })
  const hook = { kind: 'url', url, method: 'POST', timeoutMs: 5000, intervalMs: 1 } as const
  t.match(await ask(hook, true), [
    { kind: 'waiting', detail: '503: words' },
    { kind: 'waiting', detail: '404: words' },
    { kind: 'done', ok: true },
  ])
  t.match(bodies[0], FACTS)
  t.match(await ask({ ...hook, url: `${url}/no` }, true), [{ kind: 'done', ok: false, detail: '403: words' }])
  t.match(await ask(hook), [{ kind: 'done', ok: false, detail: '500: words' }])
  t.match(await ask({ ...hook, url: 'http://127.0.0.1:1/' }), [{ kind: 'done', ok: false }])
})

t.test('a task that is ended says nothing more', async t => {
  const end = new AbortController()
  const said: TaskReport[] = []
  const hook = command('setInterval(() => {}, 1000)')
  const running = runHook(hook, { facts: FACTS, retry: true }, report => said.push(report), end.signal)
  end.abort()
  await running
  t.strictSame(said, [])
})

t.test('warm-up asks in order, each until it is answered well or its time is over', async t => {
  const asked: string[] = []
  let cold = 2
  const url = await serve(t, (request, response) => {
    asked.push(`${request.url} ${request.headers.host}`)
    if (request.url === '/a' && cold > 0) {
      cold -= 1
      response.statusCode = 503
    }
    if (request.url === '/never') response.statusCode = 500
    response.end()
  })
  const request = (path: string, timeoutMs = 20_000) => ({
    url: `${url}${path}`,
    host: 'shop.localhost',
    accept: [[200, 399]] as [number, number][],
    timeoutMs,
  })
  const said: TaskReport[] = []
  const run = (requests: ReturnType<typeof request>[]): Promise<void> =>
    warm({ kind: 'warm', instance: 'web_IN_0', requests }, report => said.push(report), new AbortController().signal)
  await run([request('/a'), request('/b')])
  t.strictSame(
    asked,
    ['/a', '/a', '/a', '/b'].map(path => `${path} shop.localhost`),
  )
  await run([request('/never', 700), request('/b')])
  t.match(said, [{ ok: true }, { ok: false, detail: /never was not answered well within 700 ms: status 500/ }])
  t.equal(asked.filter(path => path.startsWith('/b')).length, 1, 'nothing after the first that failed')
})

t.test('probe traffic says when a phase has had enough, and stops at the first loss', async t => {
  let served = 0
  let broken = false
  const url = await serve(t, (request, response) => {
    served += 1
    if (broken) request.socket.destroy()
    else response.end('fine')
  })
  const words: string[] = []
  const traffic = new Traffic({
    onReached: phase => words.push(`reached ${phase}`),
    onLost: detail => words.push(`lost ${detail}`),
  })
  const probe = { kind: 'short', endpoint: 'http', path: '/work', accept: [[200, 399]], body: null } as const
  const work = (phase: string, atLeast: number) =>
    ({ kind: 'verify', phase, targets: [{ origin: url, host: 'shop.localhost', probes: [probe], atLeast }] }) as const
  traffic.take(work('before', 20))
  await until('the first phase has had enough', () => words.includes('reached before'))
  t.ok(served >= 20)
  const before = served
  traffic.take(work('after', 30))
  await until('the second phase has had enough', () => words.includes('reached after'))
  t.ok(served >= before + 30, 'it counts anew')
  broken = true
  await until('the loss is told', () => words.some(word => word.startsWith('lost')))
  t.match(words.at(-1), /^lost short \/work: .*\(request \d+ of the probe traffic\)$/)
  t.equal(words.length, 3, 'once')
})
