import t from 'tap'
import type { TcpHandle } from '../../../proxy/connections/tcp-handle.ts'
import { until } from '../../support/until.ts'
import { GET } from './holder-support.ts'
import { answering, isWhole, ok, pool, rawClient, startPlane, table, target } from './support.ts'

void t.test('idle connections are given away as the channel takes them, and served until then', async t => {
  const origin = await answering(t, ok('x'))
  const { plane, port } = await startPlane(t, table([pool([target(origin)])]))
  const clients = await Promise.all(Array.from({ length: 40 }, async () => rawClient(t, port, GET)))
  for (const client of clients) await client.until(isWhole)
  const given: TcpHandle[] = []
  t.teardown(() => {
    for (const handle of given) handle.close(() => {})
  })
  let allowed = 16
  let onRoom: (() => void) | null = null
  const left = plane.leave(
    {
      give: (_address, handle) => given.push(handle),
      room: () => {
        if (given.length < allowed) return null
        return new Promise(resolve => {
          onRoom = resolve
        })
      },
    },
    10_000,
  )
  const goOn = await until('the channel is full', () => onRoom)
  t.equal(given.length, 16)
  t.equal(plane.connections, 24)
  const last = clients.at(-1)
  if (last === undefined) throw new Error('no client')
  last.text = ''
  last.send(GET)
  t.match(await last.until(isWhole), /^HTTP\/1\.1 200 /)
  await until('it goes over with its answer', () => plane.connections === 23)
  allowed = Infinity
  goOn()
  await left
  t.equal(given.length, 40)
})
