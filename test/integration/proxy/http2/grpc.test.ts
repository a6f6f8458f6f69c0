import { status } from '@grpc/grpc-js'
import t from 'tap'
import { grpcClient, startGrpc, type GrpcClient, type GrpcInstance, type Message } from '../../../support/grpc.ts'
import { until } from '../../../support/until.ts'
import { open, startPlane, table, target, type Test, type TestPlane } from '../support.ts'
import { h2Listener, h2Pool } from './support.ts'
import { tlsFront } from './tls-front.ts'

interface Rig extends TestPlane {
  readonly client: GrpcClient
  readonly instance: GrpcInstance
}

async function instanceOf(t: Test, version: string): Promise<GrpcInstance> {
  const instance = await startGrpc(version)
  t.teardown(async () => instance.close())
  return instance
}

async function rig(t: Test, secure: boolean): Promise<Rig> {
  const instance = await instanceOf(t, 'v1')
  const plane = await startPlane(t, table([h2Pool([target(instance)])], { listeners: [h2Listener()] }))
  const front = secure ? await tlsFront(t, plane.plane) : null
  const client = grpcClient(`localhost:${front?.port ?? plane.port}`, front?.ca)
  t.teardown(() => client.close())
  return { ...plane, client, instance }
}

for (const secure of [false, true]) {
  void t.test(`gRPC ${secure ? 'over TLS' : 'by prior knowledge'}`, async t => {
    const { client, instance, plane, rows } = await rig(t, secure)

    await t.test('unary calls, with trailers', async t => {
      t.same(await client.say('hello'), { text: 'v1:hello', code: status.OK, details: 'OK', trailer: 'yes' })
      const big = 'x'.repeat(5 * 1024 * 1024)
      t.equal((await client.say(big)).text.length, big.length + 3)
      const many = await Promise.all(Array.from({ length: 200 }, async (_, n) => client.say(`n${n}`)))
      t.ok(many.every(({ text }, n) => text === `v1:n${n}`))
    })

    await t.test('errors, with trailers and with nothing but trailers', async t => {
      t.same(await client.say('fail'), {
        text: '',
        code: status.FAILED_PRECONDITION,
        details: 'as asked',
        trailer: 'yes',
      })
    })

    await t.test('deadlines and cancellation reach the instance', async t => {
      const before = instance.cancelled
      // On a busy machine a deadline may be over before the call has come to the instance.
      for (let ms = 200; instance.unanswered === 0; ms *= 2) {
        const late = await client.say('never', { deadline: Date.now() + ms })
        t.equal(late.code, status.DEADLINE_EXCEEDED)
      }
      await until('the instance knows', () => instance.cancelled > before)
      const chat = client.chat()
      chat.on('error', () => {})
      chat.write({ text: 'a' })
      await new Promise(resolve => {
        chat.once('data', resolve)
      })
      const cancelled = instance.cancelled
      chat.cancel()
      await until('the instance knows of this too', () => instance.cancelled > cancelled)
    })

    await t.test('streams of the client, of the server, and both', async t => {
      const pieces = Array.from({ length: 500 }, (_, n) => `${n},`.repeat(200))
      const collected = await client.collect(pieces)
      t.same([collected.count, collected.text === pieces.join('')], [500, true])

      const got: number[] = []
      await new Promise<void>((resolve, reject) => {
        const call = client.repeat('y'.repeat(10_000), 2000)
        call.on('data', (message: Message) => {
          got.push(message.count ?? -1)
          // A reader that stops now and then.
          if (got.length % 500 === 0) {
            call.pause()
            setImmediate(() => call.resume())
          }
        })
        call.on('error', reject)
        call.on('end', resolve)
      })
      t.same(
        got,
        Array.from({ length: 2000 }, (_, n) => n),
      )

      const chat = client.chat()
      const answers: string[] = []
      const ended = new Promise<void>((resolve, reject) => {
        chat.on('data', (message: Message) => {
          answers.push(message.text)
          // Each message only after the answer to the one before: nothing waits in the proxy.
          if (answers.length < 50) chat.write({ text: `m${answers.length}` })
          else chat.end()
        })
        chat.on('error', reject)
        chat.on('end', resolve)
      })
      chat.write({ text: 'm0' })
      await ended
      t.same(
        answers,
        Array.from({ length: 50 }, (_, n) => `v1:m${n}`),
      )
    })

    await until('nothing is open', () => open(plane) === 0)
    const { arrived, answered, clientGone, broken } = rows()
    t.same([arrived, answered, clientGone, broken], [208, 206, 2, {}])
  })
}

void t.test('calls through a swap and a drain: none fails, open streams stay where they are', async t => {
  const [old, young] = [await instanceOf(t, 'old'), await instanceOf(t, 'new')]
  const pools = [
    h2Pool([target(old, { key: 'old', version: 'old' })], { key: 'old', deployment: 'old' }),
    h2Pool([target(young, { key: 'new', version: 'new' })], { key: 'new', deployment: 'new' }),
  ]
  const to = (pool: string) => table(pools, { listeners: [h2Listener({ pool })] })
  const { plane, port, rows, drained } = await startPlane(t, to('old'))
  const client = grpcClient(`localhost:${port}`)
  t.teardown(() => client.close())

  const chat = client.chat()
  const heard: string[] = []
  chat.on('data', (message: Message) => heard.push(message.text))
  chat.write({ text: 'before' })
  await until('the stream is open', () => heard.length === 1)

  const failed: string[] = []
  let calls = 0
  let done = false
  const load = Array.from({ length: 8 }, async () => {
    while (!done) {
      const { code, details } = await client.say('x')
      if (code !== status.OK) failed.push(details)
      calls++
    }
  })
  for (let swap = 0; swap < 11; swap++) {
    const before = calls
    await until('the load goes on', () => calls > before + 20, { intervalMs: 1 })
    plane.apply(to(swap % 2 === 0 ? 'new' : 'old'))
  }
  t.equal((await client.say('x')).text, 'new:x')
  chat.write({ text: 'after' })
  await until('the stream answers', () => heard.length === 2)
  t.same(heard, ['old:before', 'old:after'])
  // The old instance drains: its stream may finish.
  const [, kept] = pools
  if (kept === undefined) throw new Error('there are two')
  const draining = h2Pool([target(old, { key: 'old', version: 'old', state: 'draining' })], {
    key: 'old',
    deployment: 'old',
  })
  plane.apply(table([draining, kept], { listeners: [h2Listener({ pool: 'new' })] }))
  const ended = new Promise(resolve => {
    chat.on('end', resolve)
  })
  chat.end()
  await ended
  await until('the drain is over', () => drained() > 0)
  done = true
  await Promise.all(load)
  t.same(failed, [])
  t.same([rows().arrived, rows().answered, rows().broken], [calls + 2, calls + 2, {}])
})
