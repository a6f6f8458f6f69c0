import { createServer, type Socket } from 'node:net'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { Fault } from '../fault.ts'
import { lossWords } from '../support/losses.ts'
import { noteExecuted } from '../support/echo-server.ts'
import { frontedBy } from '../support/fronted.ts'
import { more } from '../support/subject.ts'

export const keepAliveRace: Fault = {
  id: 'F20',
  name: 'a backend closes idle connections under the next request',
  injected: 'a backend that closes each connection 0 to 8 ms after its answer, without saying so, under load',
  expected: 'no GET is lost; a POST is lost or carried out once, never twice',
  async run(trial) {
    const executed = new Map<string, number>()
    const server = createServer({ noDelay: true }, socket =>
      serve(socket, nonce => {
        executed.set(nonce, (executed.get(nonce) ?? 0) + 1)
        noteExecuted(trial, 'race', nonce)
      }),
    )
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    trial.teardown(() => server.close())
    const { port } = server.address() as AddressInfo
    const subject = await frontedBy(trial, [port])
    const load = await subject.load({ slowGets: 0, slowPosts: 0, mixed: 12, thinkMs: 5 })
    await more(load, trial.long ? 20_000 : 2000)
    const losses = await load.finish()
    const twice = [...executed.values()].filter(count => count > 1).length
    trial.check('no POST was carried out twice', twice === 0)
    trial.check('no GET was lost', losses.lostIdempotent === 0)
    const { totals } = await subject.client.traffic('subject')
    return { seen: `${totals.replayed} sent again, ${twice} POSTs carried out twice; ${lossWords(losses)}`, losses }
  },
}

/** Answers one request after the other, and closes when it likes. */
function serve(socket: Socket, onExecuted: (nonce: string) => void): void {
  let pending = ''
  socket.on('error', () => undefined)
  socket.setEncoding('latin1').on('data', (text: string) => {
    pending += text
    const end = pending.indexOf('\r\n\r\n')
    if (end < 0) return
    const head = pending.slice(0, end)
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0)
    if (pending.length < end + 4 + length) return
    const body = pending.slice(end + 4, end + 4 + length)
    pending = pending.slice(end + 4 + length)
    const nonce = /x-nonce: (\S+)/i.exec(head)?.[1] ?? ''
    if (head.startsWith('POST')) onExecuted(nonce)
    socket.write(`HTTP/1.1 200 OK\r\nx-nonce: ${nonce}\r\ncontent-length: ${body.length}\r\n\r\n${body}`, 'latin1')
    setTimeout(() => socket.destroy(), Math.random() * 8)
  })
}
