import { createServer } from 'node:http'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import t from 'tap'
import { ControllerLink } from '../../../proxy/holder/controller-link.ts'
import { LINK_PROTOCOL, type FromProxy } from '../../../src/contracts/link.ts'
import { jsonLines } from '../../../src/core/json-lines.ts'
import { tempDir } from '../../support/temp.ts'
import { until } from '../../support/until.ts'

const status = (n: number): FromProxy => ({
  type: 'status',
  status: { revision: { term: 1, n }, inFlight: {}, ledger: { incarnation: 'x'.repeat(10_000), rows: [] } },
})

void t.test('news does not pile up behind a controller that stands still, and its last word still comes', async t => {
  const path = join(tempDir(t), 'controller.sock')
  const sockets: Duplex[] = []
  const server = createServer()
  server.on('upgrade', (_request, socket) => {
    sockets.push(socket)
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${LINK_PROTOCOL}\r\n\r\n`)
  })
  await new Promise<void>(resolve => {
    server.listen(path, resolve)
  })
  let newest = 0
  let isUp = false
  const link = new ControllerLink(
    { kind: 'socket', path },
    {
      hello: () => ({
        type: 'hello',
        peer: 'proxy',
        id: 'proxy-0',
        incarnation: 'i',
        bootId: 'b',
        applied: null,
        predecessors: [],
      }),
      onMessage: () => {},
      onUp: () => {
        isUp = true
      },
      onCaughtUp: () => link.sendNews(status(newest)),
    },
  )
  t.teardown(() => {
    link.close()
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  link.start()
  await until('it is up', () => isUp)
  // 200 MB, were they all kept.
  for (newest = 1; newest < 20_000; newest++) {
    link.sendNews(status(newest))
    if (newest % 100 === 0) await new Promise(setImmediate)
  }
  link.send({ type: 'refused', revision: { term: 1, n: 1 }, applied: { term: 1, n: 2 } })
  const came: FromProxy[] = []
  const [socket] = sockets
  if (socket === undefined) throw new Error('no link')
  jsonLines(socket, { onValue: value => came.push(value as FromProxy), onClose: () => {} })
  await until('the newest has come', () => {
    const last = came.at(-1)
    return last?.type === 'status' && last.status.revision.n === newest
  })
  t.equal(came[0]?.type, 'hello')
  t.equal(came.filter(({ type }) => type === 'refused').length, 1, 'what is no news is always sent')
  t.ok(came.length < 200, `${came.length} messages`)
})
