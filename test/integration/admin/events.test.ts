import t from 'tap'
import { startAdmin } from '../../../src/admin/server.ts'
import { silentLogger } from '../../../src/core/logger.ts'
import { FakeController } from './fake-controller.ts'

t.test('?kind= keeps some kinds, together with ?service=, in what was and in what comes', async t => {
  const api = new FakeController()
  const admin = await startAdmin({ api, port: 0, log: silentLogger(), heartbeatMs: 20 })
  t.teardown(() => admin.close())
  api.emit('swapped', 'guestbook', 'one')
  api.emit('note', 'guestbook', 'two')
  api.emit('swapped', 'other', 'three')
  const read = async (query: string): Promise<string> => (await fetch(`${admin.url}/v1/events?${query}`)).text()
  const ids = (text: string): number[] => [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id))
  t.strictSame(ids(await read('follow=0')), [1, 2, 3])
  t.strictSame(ids(await read('follow=0&kind=swapped')), [1, 3])
  t.strictSame(ids(await read('follow=0&kind=swapped,note&service=guestbook')), [1, 2])
  t.strictSame(ids(await read('follow=0&kind=drained')), [])
  t.equal((await fetch(`${admin.url}/v1/events?kind=A;B`)).status, 400)

  const live = await fetch(`${admin.url}/v1/events?kind=swapped&service=guestbook`, {
    headers: { 'last-event-id': '1' },
  })
  let text = ''
  for await (const piece of live.body ?? []) {
    const before = text
    text += Buffer.from(piece).toString()
    if (before === '') {
      api.emit('note', 'guestbook', 'four')
      api.emit('swapped', 'other', 'five')
      api.emit('swapped', 'guestbook', 'six')
    }
    if (text.includes('six') && text.includes(': \n\n')) break
  }
  t.match(text, /^retry: \d+\n\n/)
  t.strictSame(ids(text), [6])
})
