import { once } from 'node:events'
import { WebSocket } from 'ws'
import { until } from '../../../support/until.ts'
import type { Fault } from '../fault.ts'
import { timeNow } from '../history/recorder.ts'
import { SERVICE } from '../support/package.ts'

const SMALL = { instances: 2, domains: 2 }
const COUNT = 6

export const longConnections: Fault = {
  id: 'F19',
  name: 'long connections meet a swap and a drain',
  injected: `${COUNT} WebSockets, an event stream and a long poll are open during a swap, then during the drain of what they are on`,
  expected:
    'the swap leaves them where they are; the drain (3 s) ends WebSockets with 1001 and the stream after a whole event; the poll is answered',
  async run(trial) {
    const subject = await trial.subject()
    await subject.deployed({ version: '1.0.0', ...SMALL, libraries: ['ws'] })
    await subject.deployed({ version: '2.0.0', ...SMALL, libraries: ['ws'] }, 'staging')
    const [vip] = await subject.vips()
    const address = `${vip?.host}:${vip?.port}`
    const codes: number[] = []
    const sockets = Array.from({ length: COUNT }, () => new WebSocket(`ws://${address}/`))
    trial.teardown(() => sockets.forEach(socket => socket.terminate()))
    for (const socket of sockets) socket.on('close', code => codes.push(code))
    await Promise.all(sockets.map(async socket => once(socket, 'open')))
    const ask = async (socket: WebSocket, text: string): Promise<string> => {
      const answered = once(socket, 'message')
      socket.send(text)
      return String((await answered)[0])
    }
    const before = await Promise.all(sockets.map(async socket => ask(socket, 'before')))
    let events = ''
    let streamEnded = false
    const stream = await fetch(`http://${address}/events`)
    const reading = (async () => {
      for await (const chunk of stream.body ?? []) events += Buffer.from(chunk as Uint8Array).toString()
    })().then(
      () => (streamEnded = true),
      () => undefined,
    )
    const poll = fetch(`http://${address}/slow?ms=2500`)
    const { outcome } = await subject.operate('swap', async idempotencyKey =>
      subject.client.swap(SERVICE, {}, { idempotencyKey }),
    )
    trial.check('the swap succeeded', outcome === 'Succeeded')
    const after = await Promise.all(sockets.map(async socket => ask(socket, 'after')))
    const who = (texts: readonly string[]): string => texts.map(text => text.split(' ')[0]).join()
    trial.check('WebSockets stay with their instances', who(before) === who(after) && codes.length === 0)
    const { length } = events
    await until('the stream goes on', () => events.length > length)
    const began = timeNow()
    const deleted = await subject.operate('delete staging', async idempotencyKey =>
      subject.client.delete(SERVICE, 'staging', { idempotencyKey }),
    )
    const tookMs = Math.round(timeNow() - began)
    await until('all WebSockets are closed', () => codes.length === COUNT)
    await reading
    trial.check('the delete succeeded', deleted.outcome === 'Succeeded')
    trial.check(
      'closed with 1001',
      codes.every(code => code === 1001),
    )
    trial.check('the stream ended in good order, after a whole event', streamEnded && events.endsWith('\n\n'))
    const answer = await poll
    trial.check('the long poll was answered by the old version', answer.headers.get('x-version') === '1.0.0')
    return {
      seen: `closed with ${[...new Set(codes)].join(', ')}; the drain and delete took ${tookMs} ms; the poll: ${answer.status}`,
    }
  },
}
