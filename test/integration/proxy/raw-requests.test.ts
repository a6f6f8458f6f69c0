import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Socket } from 'node:net'
import t from 'tap'
import { until } from '../../support/until.ts'
import { REQUEST_CASES } from './raw-cases/all.ts'
import type { RequestCase } from './raw-cases/case.ts'
import { readAnswers, readRequests } from './raw-cases/reader.ts'
import { open, pool, rawClient, startOrigin, startPlane, table, target, type RawClient } from './support.ts'

// Every case runs twice: written at once, and octet by octet.

const PROBE = 'GET /probe HTTP/1.1\r\nHost: app\r\n\r\n'
/** Longer ones are written at once only. */
const CUT_UP_MAX = 3000
/** What the proxy says of the client, with nothing in it that the client chose but its Host. */
const OWN =
  /X-Forwarded-For: 127\.0\.0\.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Port: \d+\r\nX-Forwarded-Host: [^\r]*\r\nX-Request-ID: [0-9a-f]{32}\r\ntraceparent: 00-[0-9a-f]{32}-[0-9a-f]{16}-00\r\n/

interface Test {
  teardown(fn: () => unknown): void
}

interface Instance {
  readonly port: number
  /** Whole requests since `clear`. */
  readonly whole: string[]
  /** Connections that have a part of a request. */
  readonly partial: ReadonlySet<Socket>
  clear(): void
}

/** Answers each whole request with its own first line, and 100 to a head that expects it. */
async function startInstance(t: Test): Promise<Instance> {
  const whole: string[] = []
  const partial = new Set<Socket>()
  const known = new WeakMap<Socket, { answered: number; continued: boolean }>()
  const origin = await startOrigin(t, (text, socket) => {
    let state = known.get(socket)
    if (state === undefined) {
      state = { answered: 0, continued: false }
      known.set(socket, state)
      socket.on('close', () => partial.delete(socket))
    }
    const { requests, rest } = readRequests(text)
    for (const request of requests.slice(state.answered)) {
      state.answered++
      state.continued = false
      whole.push(request)
      const line = request.slice(0, request.indexOf('\r\n'))
      const body = line.startsWith('HEAD ') ? '' : line
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${line.length}\r\n\r\n${body}`, 'latin1')
    }
    if (rest === '') partial.delete(socket)
    else partial.add(socket)
    if (!state.continued && /^[^]*\r\nExpect: 100-continue\r\n(?:[^\r]+\r\n)*\r\n/.test(rest)) {
      state.continued = true
      socket.write('HTTP/1.1 100 Continue\r\n\r\n')
    }
  })
  return {
    port: origin.port,
    whole,
    partial,
    clear: () => {
      whole.length = 0
    },
  }
}

async function send(client: RawClient, text: string, cutUp: boolean): Promise<void> {
  if (!cutUp) {
    client.send(text)
    return
  }
  for (let at = 0; at < text.length && !client.ended && !client.closed; at++) {
    client.send(text.charAt(at))
    await nextTurn()
  }
}

/** What went wrong, or null. */
async function run(
  t: Test,
  one: RequestCase,
  instance: Instance,
  port: number,
  cutUp: boolean,
): Promise<string | null> {
  instance.clear()
  const client = await rawClient(t, port)
  try {
    await send(client, one.send, cutUp)
    for (const { after, send: more } of one.later ?? []) {
      await client.until(text => text.endsWith(after))
      await send(client, more, cutUp)
    }
    if (one.end === true) client.socket.end()
    return await judge(one, instance, port, client)
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  } finally {
    client.socket.destroy()
    // The next case begins with an instance that has nothing half done.
    await until('the instance is let go', () => instance.partial.size === 0)
  }
}

async function judge(one: RequestCase, instance: Instance, port: number, client: RawClient): Promise<string | null> {
  const { outcome } = one
  if (outcome.kind === 'served') {
    const lines = outcome.got.map(request => request.slice(0, request.indexOf('\r\n')))
    const methods = lines.map(line => line.slice(0, line.indexOf(' ')))
    if (outcome.closes) await client.end()
    else {
      await client.until(text => readAnswers(text, methods).answers.length === lines.length)
      client.send(PROBE)
      lines.push('GET /probe HTTP/1.1')
      methods.push('GET')
      await client.until(text => readAnswers(text, methods).answers.length === lines.length)
    }
    const { answers, rest } = readAnswers(client.text, methods)
    if (rest !== '') return `after the answers came ${JSON.stringify(rest)}`
    for (const [index, line] of lines.entries()) {
      const answer = answers[index]
      if (answer?.status !== 200 || answer.body !== (line.startsWith('HEAD ') ? '' : line)) {
        return `${line} was answered by ${JSON.stringify(answer)}`
      }
    }
    const local = `Host: 127.0.0.1:${port}\r\n`
    const got = instance.whole.map(request => request.replace(OWN, '').replace(local, 'Host: <own>\r\n'))
    const probe = outcome.closes ? undefined : got.pop()
    if (!outcome.closes && probe?.startsWith('GET /probe ') !== true) return 'the connection was out of step'
    if (got.length !== outcome.got.length) return `the instance got ${got.length} requests`
    for (const [index, expected] of outcome.got.entries()) {
      if (got[index] !== expected)
        return `the instance got\n${JSON.stringify(got[index])} instead of\n${JSON.stringify(expected)}`
    }
    return null
  }
  const text = await client.end()
  if (instance.whole.length > 0) return `the instance got ${JSON.stringify(instance.whole)}`
  if (outcome.kind === 'refused' && instance.partial.size > 0) return 'the instance got a part of it'
  if (outcome.status === 0) return text === '' ? null : `the client got ${JSON.stringify(text)}`
  const { answers, rest } = readAnswers(text, [one.send.startsWith('HEAD ') ? 'HEAD' : 'GET'])
  const [answer] = answers
  if (answers.length !== 1 || rest !== '') return `the client got ${JSON.stringify(text)}`
  if (answer?.status !== outcome.status) return `the status was ${answer?.status ?? 0}`
  if (!answer.head.includes('\r\nConnection: close\r\n')) return 'the answer does not say that it is the last'
  return answer.head.includes('\r\nProxy-Status: vipswap') ? null : 'the answer is not of the proxy'
}

for (const [group, cases] of REQUEST_CASES) {
  void t.test(`${group}: each request is forwarded to the octet or refused by its rule`, async t => {
    const instance = await startInstance(t)
    const { plane, port, rows } = await startPlane(t, table([pool([target(instance)])]))
    for (const one of cases) {
      t.equal(await run(t, one, instance, port, false), null, `${one.id} (${one.level}, ${one.rule})`)
      if (one.send.length > CUT_UP_MAX) continue
      t.equal(await run(t, one, instance, port, true), null, `${one.id}, octet by octet`)
    }
    await until('nothing is open', () => open(plane) === 0)
    t.same(rows().broken, {}, 'what a client sends never counts as broken')
    t.same(plane.status().inFlight, {})
  })
}

void t.test('every case has an id of its own', t => {
  const ids = REQUEST_CASES.flatMap(([, cases]) => cases.map(one => one.id))
  t.equal(new Set(ids).size, ids.length)
  t.end()
})
