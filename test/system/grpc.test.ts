import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { status } from '@grpc/grpc-js'
import t, { type Test } from 'tap'
import { grpcClient, type Message } from '../support/grpc.ts'
import { tempDir } from '../support/temp.ts'
import { until } from '../support/until.ts'
import { installInto } from './support/install.ts'
import { startSystem } from './support/system.ts'

const SERVER = `
const { Server, ServerCredentials } = require('@grpc/grpc-js')
const version = process.env.ROLE_VERSION
const encode = message => Buffer.from(JSON.stringify(message))
const decode = bytes => JSON.parse(bytes.toString())
const method = (name, stream) => ({
  path: '/test.Echo/' + name, requestStream: stream, responseStream: stream,
  requestSerialize: encode, requestDeserialize: decode, responseSerialize: encode, responseDeserialize: decode,
})
const server = new Server()
server.addService({ say: method('Say', false), chat: method('Chat', true) }, {
  say: (call, done) => done(null, { text: version }),
  chat(call) {
    call.on('data', message => call.write({ text: version + ':' + message.text }))
    call.on('end', () => call.end())
    call.on('error', () => {})
  },
})
server.bindAsync(process.env.HOST + ':' + process.env.PORT, ServerCredentials.createInsecure(), error => {
  if (error) throw error
})
process.on('SIGTERM', () => server.tryShutdown(() => process.exit(0)))
`

/** A gRPC service as its author would package it: grpc-js and nothing of vipswap's. */
function grpcPackage(t: Test, version: string): string {
  const folder = join(tempDir(t), 'p')
  mkdirSync(folder)
  // Its loader of .proto files is loaded only where it is used.
  installInto(folder, '@grpc/grpc-js', undefined, new Set(['@grpc/proto-loader']))
  writeFileSync(join(folder, 'server.js'), SERVER)
  writeFileSync(
    join(folder, 'service.yaml'),
    `name: echo
version: ${version}
roles:
  web:
    command: node server.js
    instances: 3
    drainTimeout: 5s
    endpoints:
      rpc: { port: 0, http2: true, backend: h2c }
`,
  )
  return folder
}

t.test('gRPC calls and streams through a swap and an upgrade in place', async t => {
  const system = await startSystem(t)
  const [first, second] = [grpcPackage(t, '1.0.0'), grpcPackage(t, '2.0.0')]
  for (const words of [
    ['deploy', first],
    ['deploy', second, '--slot', 'staging'],
  ]) {
    const { code, stderr } = await system.cli(...words)
    t.equal(code, 0, stderr)
  }
  const { host } = new URL(await system.url('echo', 'production'))
  const client = grpcClient(host)
  t.teardown(() => client.close())

  const failures = new Map<string, number>()
  const texts = new Set<string>()
  let calls = 0
  let done = false
  const fail = (why: string): void => {
    failures.set(why, (failures.get(why) ?? 0) + 1)
  }
  const load = Array.from({ length: 6 }, async () => {
    while (!done) {
      const { code, details, text } = await client.say('x')
      calls++
      if (code === status.OK) texts.add(text)
      else fail(`${code}: ${details}`)
    }
  })
  // Short streams, one after the other: each is whole, wherever it was when its instance was drained.
  const streams = (async () => {
    while (!done) {
      const chat = client.chat()
      const heard: string[] = []
      await new Promise<void>(resolve => {
        chat.on('data', (message: Message) => {
          heard.push(message.text)
          if (heard.length === 20) chat.end()
          else chat.write({ text: String(heard.length) })
        })
        chat.on('error', error => {
          fail(error.message)
          resolve()
        })
        chat.on('end', resolve)
        chat.write({ text: '0' })
      })
      const [version = ''] = heard[0]?.split(':') ?? []
      if (!heard.every((text, n) => text === `${version}:${n}`) || heard.length !== 20) fail(`heard ${heard.join(' ')}`)
    }
  })()

  await until('calls are answered', () => calls > 50)
  t.same([...texts], ['1.0.0'])
  const swap = await system.cli('swap')
  t.equal(swap.code, 0, swap.stderr)
  t.equal((await client.say('x')).text, '2.0.0')
  const upgrade = await system.cli('upgrade', first, '--mode', 'auto')
  t.equal(upgrade.code, 0, upgrade.stderr)
  t.equal((await client.say('x')).text, '1.0.0')
  const before = calls
  await until('calls go on', () => calls > before + 50)
  done = true
  await Promise.all([...load, streams])
  t.same(Object.fromEntries(failures), {}, `${calls} calls, none lost`)
  const receipt = await system.client.receipt((await system.client.operations({ service: 'echo' }))[0]?.id ?? '')
  t.equal(receipt.operation.kind, 'upgrade')
  t.equal(receipt.totals.broken, 0)
  t.ok(receipt.totals.answered > 0)
})
