import t, { type Test } from 'tap'
import { startAdmin, type Admin } from '../../../src/admin/server.ts'
import { createClient, type Client } from '../../../src/client/client.ts'
import type { GapView } from '../../../src/contracts/api/event.ts'
import { silentLogger } from '../../../src/core/logger.ts'
import { FakeController } from './fake-controller.ts'

// Numbers of events mean something in one data folder only, and only as far as it still has them.

async function start(t: Test): Promise<{ api: FakeController; url: string; client: Client }> {
  const api = new FakeController()
  const admin = await startAdmin({ api, port: 0, log: silentLogger() })
  const client = createClient({ url: admin.url })
  t.teardown(async () => {
    await client.close()
    await admin.close()
  })
  return { api, url: admin.url, client }
}

t.test('who resumes from before what is kept is told how much is missing', async t => {
  const { api, url, client } = await start(t)
  api.emit('note', 'guestbook', 'one')
  api.emit('note', 'guestbook', 'two')
  api.missed = 41
  const answer = await fetch(`${url}/v1/events?follow=0`, { headers: { 'last-event-id': '1' } })
  t.equal(answer.headers.get('x-vipswap-timeline'), 'fake')
  const text = await answer.text()
  t.match(text, /^retry: \d+\n\nevent: gap\ndata: {"kind":"gap","after":1,"missed":41}\n\nid: 2\n/)
  const gaps: GapView[] = []
  const seen: number[] = []
  for await (const { seq } of client.events({ after: 1, onGap: gap => gaps.push(gap) })) seen.push(seq)
  t.strictSame(gaps, [{ kind: 'gap', after: 1, missed: 41 }])
  t.strictSame(seen, [2], 'the gap is not an event')
})

t.test('who follows over a change of the data folder reads the new one from its beginning', async t => {
  const fabric = (timeline: string, ...messages: string[]): FakeController => {
    const api = new FakeController()
    api.timeline = timeline
    for (const message of messages) api.emit('note', 'guestbook', message)
    return api
  }
  const serve = async (api: FakeController, port: number): Promise<Admin> => {
    const admin = await startAdmin({ api, port, log: silentLogger() })
    t.teardown(() => admin.close())
    return admin
  }
  const first = await serve(fabric('one', 'a', 'b'), 0)
  const client = createClient({ url: first.url })
  t.teardown(() => client.close())
  const end = new AbortController()
  const seen: string[] = []
  for await (const { message } of client.events({ follow: true, signal: end.signal })) {
    seen.push(message)
    if (message === 'b') {
      await first.close()
      await serve(fabric('two', 'c', 'd', 'e'), first.port)
    }
    if (message === 'e') end.abort()
  }
  t.strictSame(seen, ['a', 'b', 'c', 'd', 'e'], 'by their numbers only e would be new')
})

t.test('the client asks by ifMatch that nothing was decided since', async t => {
  const { api, url, client } = await start(t)
  api.addService('guestbook', { production: '1.0.0', staging: '1.5.0' })
  const ifMatch = (await fetch(`${url}/v1/services/guestbook/slots/production`)).headers.get('etag') ?? ''
  await client.walk('guestbook', 'production', {}, { ifMatch })
  api.change('guestbook', 'production', { version: '1.0.1' })
  await t.rejects(client.walk('guestbook', 'production', {}, { ifMatch }), { code: 'precondition_failed' })
})
