import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import { generateAnswer, generateRequests } from '../../property/proxy/fuzz/generate.ts'
import { Prng } from '../../simulation/prng.ts'
import { until } from '../../support/until.ts'
import { readAnswers, readRequests } from './raw-cases/reader.ts'
import { open, pool, rawClient, startOrigin, startPlane, table, target } from './support.ts'

// The parsers alone are fuzzed in property/proxy; here whole connections are, on real sockets, in one piece and in several.

const ROUNDS = 150

/** `text` cut at random places. */
function pieces(random: Prng, text: string): string[] {
  const cuts = new Set([0, text.length])
  for (let n = random.between(1, 6); n > 0; n--) cuts.add(random.between(0, text.length))
  const sorted = [...cuts].sort((one, other) => one - other)
  return sorted.slice(1).map((cut, index) => text.slice(sorted[index], cut))
}

void t.test('broken and borderline requests end alike however they are cut, and none hangs', async t => {
  const random = new Prng(7)
  const got: string[] = []
  const origin = await startOrigin(t, (text, socket, clear) => {
    const { requests, rest } = readRequests(text)
    if (requests.length === 0 || rest !== '') return
    clear()
    for (const request of requests) {
      got.push(request.replaceAll(/X-Request-ID: [0-9a-f]+\r\ntraceparent: [^\r]*\r\n/g, ''))
      socket.write('HTTP/1.1 204 No Content\r\n\r\n')
    }
  })
  const { plane, port } = await startPlane(t, table([pool([target(origin)])]))
  const run = async (parts: readonly string[]): Promise<unknown> => {
    got.length = 0
    const client = await rawClient(t, port)
    for (const part of parts) {
      client.send(part)
      await nextTurn()
    }
    client.socket.end()
    const text = await client.end()
    client.socket.destroy()
    await until('it is over', () => open(plane) === 0)
    return { statuses: [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(match => match[1]), got: [...got] }
  }
  for (let round = 0; round < ROUNDS; round++) {
    const text = generateRequests(random)
    const parts = pieces(random, text)
    const whole = await run([text])
    const cut = await run(parts)
    if (JSON.stringify(cut) !== JSON.stringify(whole)) t.same({ parts, ...Object(cut) }, { parts, ...Object(whole) })
  }
  t.same(plane.status().inFlight, {})
})

void t.test('broken and borderline answers end alike however they are cut, and none hangs', async t => {
  const random = new Prng(8)
  let parts: readonly string[] = []
  const origin = await startOrigin(t, (text, socket, clear) => {
    if (!text.endsWith('\r\n\r\nhi')) return
    clear()
    const send = async (): Promise<void> => {
      for (const part of parts) {
        if (socket.destroyed) return
        socket.write(part, 'latin1')
        await nextTurn()
      }
      socket.end()
    }
    void send()
  })
  const { plane, port } = await startPlane(t, table([pool([target(origin)])]))
  const run = async (one: readonly string[]): Promise<unknown> => {
    parts = one
    const client = await rawClient(
      t,
      port,
      'POST / HTTP/1.1\r\nHost: app\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi',
    )
    const text = (await client.end()).replaceAll(/Date: [^\r]*\r\n/g, '')
    client.socket.destroy()
    await until('it is over', () => open(plane) === 0)
    const { answers, rest } = readAnswers(text, ['POST'])
    // How much of a broken answer came before its end may differ; the answers that are whole may not.
    return { answers, whole: rest === '' }
  }
  for (let round = 0; round < ROUNDS; round++) {
    const text = generateAnswer(random)
    const several = pieces(random, text)
    const whole = await run([text])
    const cut = await run(several)
    if (JSON.stringify(cut) !== JSON.stringify(whole))
      t.same({ several, ...Object(cut) }, { several, ...Object(whole) })
  }
  t.same(plane.status().inFlight, {})
})
