import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, request as httpRequest, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'
import { readPackage } from '../../../src/packages/read-package.ts'
import { EXAMPLES, startExample, type RunningExample } from '../../support/example.ts'
import { until } from '../../support/until.ts'

// Dozens of processes, one after the other: on a busy machine that takes longer than the usual 30 s.
t.setTimeout(120_000)

interface Talk {
  readonly counts: {
    readonly answered: number
    readonly failed: number
    readonly failures: Readonly<Record<string, number>>
  }
  language(): string
  readonly done: Promise<unknown>
  stop(): void
}

// Plain JavaScript without types: this is the part of it that is used here.
const { createTalk } = (await import(pathToFileURL(`${EXAMPLES}guestbook/client.js`).href)) as {
  createTalk: (url: string, options: { everyMs: number }) => Talk
}

const start = async (t: Test, version: string, index = 0) =>
  startExample(t, `guestbook/${version}/server.js`, { ROLE_INSTANCE_ID: `web_IN_${index}` })

/** Requests under way, by the port of the instance they went to. */
const busy = new Map<number, number>()

/** Takes an instance down as a VIP's owner does: it is out of rotation, and what it has in flight ends first. */
async function takeDown(old: RunningExample | undefined): Promise<void> {
  if (old === undefined) return
  await until('it has drained', () => (busy.get(old.port) ?? 0) === 0)
  await old.stop()
}

/** A VIP in miniature: each request goes to an instance picked at random of those in rotation. */
async function startVip(t: Test, instances: RunningExample[]): Promise<string> {
  const server = createServer((incoming, outgoing) => {
    const { port } = instances[Math.floor(Math.random() * instances.length)] ?? { port: 0 }
    const { method, url: path, headers } = incoming
    busy.set(port, (busy.get(port) ?? 0) + 1)
    outgoing.once('close', () => busy.set(port, (busy.get(port) ?? 0) - 1))
    const onward = httpRequest(
      { host: '127.0.0.1', port, method, path, headers: { ...headers, connection: 'close' } },
      answer => {
        outgoing.writeHead(answer.statusCode ?? 502, { ...answer.headers, connection: 'keep-alive' })
        answer.pipe(outgoing)
      },
    )
    onward.on('error', error => outgoing.writeHead(502).end(error.message))
    incoming.pipe(onward)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  // Listens on an IP address, so it is one.
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const COUNT = 3

/** Starts `from`, and walks through the given versions while the client talks; `before` each walk it may wait. */
async function upgradeThrough(
  t: Test,
  from: string,
  versions: readonly string[],
  before: (talk: Talk, to: string) => Promise<unknown>,
) {
  const instances = await Promise.all(Array.from({ length: COUNT }, async (_, i) => start(t, from, i)))
  const talk = createTalk(await startVip(t, instances), { everyMs: 1 })
  const more = async (n: number) => {
    const goal = talk.counts.answered + talk.counts.failed + n
    await until(`${n} more requests`, () => talk.counts.answered + talk.counts.failed >= goal)
  }
  await more(100)
  for (const version of versions) {
    await before(talk, version)
    for (let i = 0; i < COUNT; i++) {
      const next = await start(t, version, i)
      const [old] = instances.splice(i, 1, next)
      await takeDown(old)
      await more(100)
    }
  }
  talk.stop()
  await talk.done
  return talk
}

t.test('every version is a package that validates', async t => {
  for (const version of ['1.0.0', '1.5.0', '2.0.0']) {
    const { release, warnings } = await readPackage(`${EXAMPLES}guestbook/${version}`)
    t.strictSame(warnings, [])
    t.match(release.definition, {
      name: 'guestbook',
      version,
      requires: version === '2.0.0' ? '>=1.5.0' : null,
      roles: { web: { instances: 4, endpoints: [{ port: 8080 }], probe: { kind: 'http', path: '/healthz' } } },
    })
  }
})

for (const version of ['1.0.0', '1.5.0', '2.0.0']) {
  t.test(`${version} shows who it is, echoes, waits and streams`, async t => {
    const { url, port } = await start(t, version)
    t.match(await (await fetch(url)).json(), { service: 'guestbook', version, instance: 'web_IN_0' })
    const page = await fetch(url, { headers: { accept: 'text/html' } })
    t.match(page.headers.get('content-type'), /text\/html/)
    t.ok((await page.text()).includes(version))
    t.equal((await fetch(`${url}/healthz`)).status, 200)
    t.equal((await fetch(`${url}/nothing`)).status, 404)
    t.match(await (await fetch(`${url}/slow?ms=20`)).text(), /took 20 ms/)

    const body = 'x'.repeat(64 * 1024)
    const whole = await fetch(`${url}/echo`, { method: 'POST', body })
    t.equal(whole.headers.get('content-length'), String(body.length))
    t.equal(await whole.text(), body)
    const chunked = httpRequest({ host: '127.0.0.1', port, path: '/echo', method: 'POST' })
    chunked.write('one ')
    chunked.end('two')
    // The event's only argument.
    const [answer] = (await once(chunked, 'response')) as [IncomingMessage]
    t.equal(answer.headers['transfer-encoding'], 'chunked')
    t.equal(await text(answer), 'one two')

    const events = await fetch(`${url}/events`)
    const reader = events.body?.getReader()
    const { value = new Uint8Array() } = (await reader?.read()) ?? {}
    t.match(Buffer.from(value).toString(), `event: version\ndata: {"version":"${version}"`)
    await reader?.cancel()

    for (const odd of ['//', '/%', '/entries?%', '*']) {
      const request = httpRequest({
        host: '127.0.0.1',
        port,
        path: odd,
        headers: { 'Guestbook-Protocol': 'constructor' },
      }).end()
      const [response] = (await once(request, 'response')) as [IncomingMessage]
      response.resume()
      t.ok(Number(response.statusCode) >= 400, `${odd} is answered ${response.statusCode}`)
    }
  })

  t.test(`${version} finishes what it is doing when it is asked to stop`, async t => {
    const example = await start(t, version)
    const slow = fetch(`${example.url}/slow?ms=300`)
    const events = await fetch(`${example.url}/events`)
    await until('the slow request is there', async () => (await fetch(`${example.url}/healthz`)).ok)
    const asked = performance.now()
    const stopped = example.stop()
    t.match(await (await slow).text(), /took 300 ms/)
    t.match(await events.text(), /event: version/, 'streams end')
    t.equal(await stopped, 0)
    t.ok(performance.now() - asked < 3000, 'and does not wait for idle connections to time out')
  })
}

t.test('each version understands what the table says, and says so otherwise', async t => {
  const speak = async (url: string, protocol: string, body: string) =>
    (await fetch(`${url}/entries`, { method: 'POST', headers: { 'Guestbook-Protocol': protocol }, body })).status
  const v1 = 'ann: hello'
  const v2 = '{"name":"ann","text":"hello"}'
  for (const [version, expected] of [
    ['1.0.0', [201, 415]],
    ['1.5.0', [201, 201]],
    ['2.0.0', [415, 201]],
  ] as const) {
    const { url } = await start(t, version)
    t.strictSame([await speak(url, 'V1', v1), await speak(url, 'V2', v2)], expected, version)
    const unasked = await fetch(`${url}/entries`)
    t.equal(unasked.headers.get('guestbook-protocol'), version === '2.0.0' ? 'V2' : 'V1')
  }
})

t.test('1.0 → 1.5 → 2.0 under the client: nothing fails', async t => {
  const talk = await upgradeThrough(t, '1.0.0', ['1.5.0', '2.0.0'], async (running, to) => {
    t.equal(running.language(), to === '1.5.0' ? 'V1' : 'V2', `before ${to}`)
  })
  t.strictSame(talk.counts.failures, {})
  t.ok(talk.counts.answered > 600)
})

t.test('1.0 → 2.0 at once: the client reports failures', async t => {
  const talk = await upgradeThrough(t, '1.0.0', ['2.0.0'], async () => {})
  t.ok(talk.counts.failed > 0)
  t.ok(Object.keys(talk.counts.failures).some(failure => /415 guestbook 2.0.0 does not understand V1/.test(failure)))
  t.equal(talk.language(), 'V2', 'it gets along again when all are 2.0')
})

t.test('a rollback half-way to 1.5 and half-way to 2.0 fails nothing', async t => {
  for (const [from, to] of [
    ['1.0.0', '1.5.0'],
    ['1.5.0', '2.0.0'],
  ] as const) {
    const instances = await Promise.all([start(t, from, 0), start(t, from, 1), start(t, from, 2)])
    const talk = createTalk(await startVip(t, instances), { everyMs: 1 })
    await until('a while', () => talk.counts.answered >= 200)
    for (const version of [to, from]) {
      const goal = talk.counts.answered + 200
      const [old] = instances.splice(0, 1, await start(t, version, 0))
      await takeDown(old)
      await until('a while more', () => talk.counts.answered >= goal)
    }
    talk.stop()
    await talk.done
    t.strictSame(talk.counts.failures, {}, `${from} → ${to} and back`)
  }
})

t.test('as a program the client ends with 0 or 1', async t => {
  const run = async (...versions: string[]) => {
    const url = await startVip(t, await Promise.all(versions.map(async (version, i) => start(t, version, i))))
    const args = [`${EXAMPLES}guestbook/client.js`, url, '--seconds', '0.5', '--json']
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] })
    t.teardown(() => child.kill('SIGKILL'))
    const [output, [status]] = await Promise.all([text(child.stdout), once(child, 'exit') as Promise<[number]>])
    return { status, counts: JSON.parse(output) as unknown }
  }
  t.match(await run('1.0.0', '1.5.0'), { status: 0, counts: { failed: 0 } })
  t.match(await run('1.0.0', '2.0.0'), { status: 1, counts: { failed: Number } })
  t.match(await run('2.0.0'), { status: 0, counts: { failed: 0 } }, 'one that is started late learns before it speaks')
})
