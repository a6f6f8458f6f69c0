import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Socket } from 'node:net'
import t from 'tap'
import { until } from '../../support/until.ts'
import { ANSWER_CASES } from './raw-cases/all.ts'
import type { AnswerCase } from './raw-cases/case.ts'
import { readAnswers, readRequests } from './raw-cases/reader.ts'
import {
  ok,
  open,
  pool,
  rawClient,
  startOrigin,
  startPlane,
  table,
  target,
  type Origin,
  type RawClient,
} from './support.ts'

// Every case runs twice: answered at once, and octet by octet.

const PROBE = 'GET /probe HTTP/1.1\r\nHost: app\r\n\r\n'
const CUT_UP_MAX = 3000

interface Test {
  teardown(fn: () => unknown): void
}

/** Answers probes by themselves and all else as the present case says. */
class Instance {
  origin: Origin | null = null
  /** The connection that the present case came over, and its writing is done. */
  socket: Socket | null = null
  written = false
  #case: AnswerCase | null = null
  #cutUp = false

  async start(t: Test): Promise<number> {
    this.origin = await startOrigin(t, (text, socket, clear) => {
      const { requests, rest } = readRequests(text)
      if (requests.length === 0 || rest !== '') return
      clear()
      if (text.startsWith('GET /probe ')) socket.write(ok('probe'))
      else void this.#answer(socket)
    })
    return this.origin.port
  }

  play(one: AnswerCase, cutUp: boolean): void {
    this.#case = one
    this.#cutUp = cutUp
    this.socket = null
    this.written = false
  }

  async #answer(socket: Socket): Promise<void> {
    const one = this.#case
    if (one === null) return
    this.socket = socket
    if (this.#cutUp) {
      for (let at = 0; at < one.answer.length && !socket.destroyed; at++) {
        socket.write(one.answer.charAt(at), 'latin1')
        await nextTurn()
      }
    } else if (one.answer !== '') {
      await new Promise(resolve => {
        socket.write(one.answer, 'latin1', resolve)
      })
    }
    // Lets what was written be read before the reset overtakes it.
    if (one.after === 'resets') {
      await nextTurn()
      await nextTurn()
      socket.resetAndDestroy()
    }
    if (one.after === 'ends') socket.end()
    this.written = true
  }
}

/** Without the date that the proxy adds. */
function undated(text: string): string {
  return text.replace(
    /Date: [A-Z][a-z]{2}, [^\r]* GMT\r\n(?=(?:Upgrade: [^\r]*\r\nConnection: Upgrade\r\n)?(?:Connection: [^\r]*\r\n)?\r\n)/,
    '',
  )
}

/** What went wrong, or null. */
async function run(t: Test, one: AnswerCase, instance: Instance, port: number, cutUp: boolean): Promise<string | null> {
  instance.play(one, cutUp)
  const client = await rawClient(t, port, one.request)
  try {
    return (await judge(one, client)) ?? (await judgeNext(t, one, instance, client, port))
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  } finally {
    client.socket.destroy()
  }
}

async function judge(one: AnswerCase, client: RawClient): Promise<string | null> {
  const { outcome } = one
  const methods = [one.request.slice(0, one.request.indexOf(' '))]
  if (outcome.kind === 'cut') {
    const text = await client.end()
    const { answers, rest } = readAnswers(text, methods)
    if (!text.startsWith('HTTP/1.1 200 ')) return `the client got ${JSON.stringify(text)}`
    // Without a length or chunks only the reset tells.
    const framed = /\r\n(?:content-length|transfer-encoding):/i.test(text)
    await until('it is over', () => client.closed || framed)
    if (framed ? rest === '' : client.failed === null) return `it looks whole: ${JSON.stringify(answers)}`
    return null
  }
  if (outcome.kind === 'bad') {
    await client.until(text => readAnswers(text, methods).answers.length === 1)
    const { answers, rest } = readAnswers(client.text, methods)
    const [answer] = answers
    if (answer?.status !== 502 || rest !== '') return `the client got ${JSON.stringify(client.text)}`
    return answer.head.includes('\r\nProxy-Status: vipswap; error=') ? null : 'the answer is not of the proxy'
  }
  if (outcome.closes) await client.end()
  else await client.until(text => undated(text).length >= outcome.text.length)
  const text = undated(client.text)
  return text === outcome.text
    ? null
    : `the client got\n${JSON.stringify(text)} instead of\n${JSON.stringify(outcome.text)}`
}

/** Nothing of the case may reach the next request, on this connection or on another. */
async function judgeNext(
  t: Test,
  one: AnswerCase,
  instance: Instance,
  client: RawClient,
  port: number,
): Promise<string | null> {
  await until('all is written', () => instance.written)
  if (!one.reuses) await until('the connection to the instance is closed', () => instance.socket?.destroyed)
  const before = instance.origin?.sockets.length ?? 0
  const closes = one.outcome.kind === 'cut' || (one.outcome.kind === 'got' && one.outcome.closes)
  for (const next of closes ? [await rawClient(t, port)] : [client, await rawClient(t, port)]) {
    const seen = next.text.length
    next.send(PROBE)
    const text = await next.until(all => all.slice(seen).endsWith('probe'))
    const { answers } = readAnswers(text.slice(seen), ['GET'])
    if (answers.length !== 1 || answers[0]?.body !== 'probe')
      return `the next answer was ${JSON.stringify(text.slice(seen))}`
    if (next !== client) next.socket.destroy()
  }
  const dialled = (instance.origin?.sockets.length ?? 0) - before
  return dialled === (one.reuses ? 0 : 1) ? null : `${dialled} new connections to the instance`
}

for (const [group, cases] of ANSWER_CASES) {
  void t.test(`${group}: each answer is passed on to the octet, turned into a 502, or visibly cut`, async t => {
    const instance = new Instance()
    const origin = { port: await instance.start(t) }
    const { plane, port } = await startPlane(t, table([pool([target(origin)])]))
    for (const one of cases) {
      t.equal(await run(t, one, instance, port, false), null, `${one.id} (${one.level}, ${one.rule})`)
      if (one.answer.length > CUT_UP_MAX) continue
      t.equal(await run(t, one, instance, port, true), null, `${one.id}, octet by octet`)
    }
    await until('nothing is open', () => open(plane) === 0)
    t.same(plane.status().inFlight, {})
  })
}

void t.test('every case has an id of its own', t => {
  const ids = ANSWER_CASES.flatMap(([, cases]) => cases.map(one => one.id))
  t.equal(new Set(ids).size, ids.length)
  t.end()
})
