import { once } from 'node:events'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { until } from '../support/until.ts'
import { examplePackage, startSystem, type System } from './support/system.ts'

async function run(t: Test, system: System, ...words: string[]): Promise<void> {
  const { code, stderr } = await system.cli(...words)
  t.equal(code, 0, `vipswap ${words.join(' ')}: ${stderr}`)
}

t.test('crunch: a worker without endpoints reaches another role through the internal endpoint', async t => {
  const system = await startSystem(t)
  await run(t, system, 'deploy', examplePackage(t, 'crunch/1.0.0'))
  const url = await system.url('crunch', 'production')
  const asked = await fetch(`${url}/jobs`, { method: 'POST', body: JSON.stringify({ upTo: 100 }) })
  t.ok(asked.ok, await asked.text())
  const seen = await until('a worker has counted the primes up to 100', async () => {
    const text = await (await fetch(`${url}/jobs`)).text()
    return /"primes":\s*25\b/.test(text) ? text : null
  })
  t.match(seen, /worker_IN_/, 'and the store knows which worker it was')
})

t.test('chat: a WebSocket stays open and answered across a swap', async t => {
  const system = await startSystem(t)
  await run(t, system, 'deploy', examplePackage(t, 'chat/1.0.0'))
  await run(t, system, 'deploy', examplePackage(t, 'chat/1.1.0'), '--slot', 'staging')
  const url = await system.url('chat', 'production')
  const socket = new WebSocket(`${url.replace('http', 'ws')}/echo`)
  t.teardown(() => socket.terminate())
  let closed = false
  socket.on('close', () => {
    closed = true
  })
  const echo = async (text: string): Promise<string> => {
    const answer = once(socket, 'message')
    socket.send(text)
    return String((await answer)[0])
  }
  await once(socket, 'open')
  t.equal(await echo('before'), 'before')
  await run(t, system, 'swap')
  t.equal(await echo('after'), 'after')
  t.equal(closed, false, 'the swap did not close it')
  t.match(await (await fetch(url)).text(), /1\.1\.0/, 'new requests reach the other version')
})
