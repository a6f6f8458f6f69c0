import { Socket } from 'node:net'
import t from 'tap'
import type { Doors, OpenConnection } from '../../../proxy/intake/doors.ts'
import { Intake } from '../../../proxy/intake/intake.ts'
import { PoolState } from '../../../proxy/routing/pool-state.ts'
import { compileTable } from '../../../proxy/routing/snapshot.ts'
import { DEFAULT_OPTIONS } from '../../../src/contracts/routing.ts'
import { listener, table } from '../../integration/proxy/support.ts'

const BOUND = 4096

/** An intake whose connections are never connected: what they say is put into them. */
function startIntake(options: Partial<typeof DEFAULT_OPTIONS>) {
  const open = new Set<OpenConnection>()
  let served = 0
  const serve = (): void => void served++
  const doors: Doors = {
    snapshot: compileTable(
      table([], { listeners: [listener({ options: { ...DEFAULT_OPTIONS, ...options } })] }),
      pool => new PoolState(pool),
      () => null,
    ),
    serveHttp1: serve,
    serveHttp2: serve,
    serveTcp: serve,
    add: connection => void open.add(connection),
    remove: connection => void open.delete(connection),
  }
  const intake = new Intake(doors)
  const accept = (): Socket => {
    const socket = new Socket().on('error', () => {})
    intake.accept('127.0.0.1:1', socket)
    return socket
  }
  return { intake, open, accept, served: () => served }
}

t.test('connections that are silent where HTTP/1.1 is spoken too crowd nobody out', t => {
  const { intake, open, accept, served } = startIntake({ http2: true })
  const sockets = Array.from({ length: BOUND + 10 }, accept)
  t.equal(open.size, BOUND + 10)
  t.equal(intake.failures.counts['too-many'], 0)
  // What begins as HTTP/2 does is kept until it is whole.
  for (const socket of sockets.slice(0, BOUND)) socket.emit('data', Buffer.from('PRI'))
  t.equal(intake.failures.counts['too-many'], 0)
  sockets[BOUND]?.emit('data', Buffer.from('PRI'))
  t.equal(intake.failures.counts['too-many'], 1, 'that is bounded')
  t.ok(sockets[BOUND]?.destroyed)
  sockets[BOUND + 1]?.emit('data', Buffer.from('GET / HTTP/1.1\r\n'))
  t.equal(served(), 1, 'and takes nothing from HTTP/1.1')
  for (const connection of open) connection.destroy()
  sockets[BOUND + 2] = accept()
  sockets[BOUND + 2]?.emit('data', Buffer.from('PRI'))
  t.equal(intake.failures.counts['too-many'], 1, 'there is room again')
  t.equal(open.size, 1)
  t.end()
})

t.test('those that must say who they are first are bounded while they are silent', t => {
  const { intake, open, accept } = startIntake({ proxyProtocol: true })
  for (let n = 0; n < BOUND; n++) accept()
  t.equal(intake.failures.counts['too-many'], 0)
  t.ok(accept().destroyed)
  t.equal(intake.failures.counts['too-many'], 1)
  t.equal(open.size, BOUND)
  t.end()
})
