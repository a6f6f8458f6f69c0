import { connect } from 'node:net'
import { once } from 'node:events'
import { until } from '../../../support/until.ts'
import type { Fault } from '../fault.ts'
import { timeNow } from '../history/recorder.ts'

export const clientLeaves: Fault = {
  id: 'F18',
  name: 'clients leave in the middle',
  injected: '20 clients that go away while they wait for an answer, and 20 that go away in the middle of one',
  expected: 'the instance sees each leave within 1 s, and nothing is counted as in flight any more',
  async run(trial) {
    const subject = await trial.subject()
    await subject.deployed({ version: '1.0.0', instances: 1 })
    const [vip] = await subject.vips()
    let slowest = 0
    for (const [path, gone] of [
      ['/hang', 20],
      ['/drip?n=1000&ms=100', 20],
    ] as const) {
      const sockets = Array.from({ length: gone }, () => connect({ host: vip?.host ?? '', port: vip?.port ?? 0 }))
      for (const socket of sockets) {
        socket.on('error', () => undefined)
        socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`)
      }
      const inFlight = async (): Promise<number> => (await subject.instance('web_IN_0')).inFlight
      await until('all are in flight', async () => (await inFlight()) === gone)
      if (path !== '/hang') await Promise.all(sockets.map(async socket => once(socket, 'data')))
      const leftAt = Date.now()
      trial.injected(`${gone} clients of ${path} leave`)
      for (const socket of sockets) socket.destroy()
      const name = path.split('?')[0]
      const aborted = () => subject.notes().filter(note => note.what === 'aborted' && note.path === name)
      await until('the instance has seen all of them leave', () => aborted().length === gone)
      slowest = Math.max(slowest, ...aborted().map(({ at }) => at - leftAt))
      await until('nothing is in flight', async () => (await inFlight()) === 0)
    }
    const began = timeNow()
    const deleted = await subject.operate('delete production', async idempotencyKey =>
      subject.client.delete('subject', 'production', { idempotencyKey }),
    )
    trial.check('each was seen within a second', slowest < 1000)
    trial.check('a drain does not wait for them', deleted.outcome === 'Succeeded' && timeNow() - began < 3000)
    return { seen: `seen after ${slowest} ms at the latest; a delete took ${Math.round(timeNow() - began)} ms` }
  },
}
