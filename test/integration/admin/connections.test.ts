import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect as connectPlain, type Socket } from 'node:net'
import { join } from 'node:path'
import { connect as connectSecure } from 'node:tls'
import t, { type Test } from 'tap'
import { startAdmin, type AdminOptions } from '../../../src/admin/server.ts'
import { silentLogger } from '../../../src/core/logger.ts'
import { makeCertificate } from '../../support/certificates.ts'
import { tempDir } from '../../support/temp.ts'
import { FakeController } from './fake-controller.ts'

type Road = 'http' | 'https'

async function serve(t: Test, road: Road, options: Partial<AdminOptions>) {
  const { chain, key } = await makeCertificate({ names: ['localhost'] })
  const files = { cert: join(tempDir(t), 'cert.pem'), key: join(tempDir(t), 'key.pem') }
  writeFileSync(files.cert, chain)
  writeFileSync(files.key, key, { mode: 0o600 })
  const admin = await startAdmin({
    api: new FakeController(),
    port: 0,
    log: silentLogger(),
    token: 'secret',
    ...(road === 'https' ? { tls: { ...files, clientCa: null, roles: null } } : {}),
    ...options,
  })
  t.teardown(() => admin.close())
  /** A connection that has said `text`, and whether it was ended by the other side. */
  const say = async (text: string): Promise<{ socket: Socket; ended: Promise<string> }> => {
    const { port } = admin
    const socket =
      road === 'https'
        ? connectSecure({ host: '127.0.0.1', port, rejectUnauthorized: false })
        : connectPlain(port, '127.0.0.1')
    t.teardown(() => socket.destroy())
    let answer = ''
    socket.on('data', (data: Buffer) => (answer += data.toString())).on('error', () => {})
    const ended = new Promise<string>(resolve => {
      socket.once('close', () => resolve(answer))
    })
    const ready = once(socket, road === 'https' ? 'secureConnect' : 'connect').catch(() => null)
    await Promise.race([ready, ended])
    socket.write(text)
    return { socket, ended }
  }
  return { say }
}

for (const road of ['http', 'https'] as const) {
  t.test(`over ${road} a head that does not come to its end holds no connection`, async t => {
    const { say } = await serve(t, road, { headTimeoutMs: 300 })
    const slow = await Promise.all(['', 'GET /', 'GET /healthz HTTP/1.1\r\nhost: localhost\r\nx-slow: '].map(say))
    for (const { ended } of slow) t.notMatch(await ended, /^HTTP\/1\.1 2/)
  })

  t.test(`over ${road} nobody keeps a connection who has not said who he is`, async t => {
    const { say } = await serve(t, road, {})
    const openBody = await say('GET /healthz HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100000\r\n\r\nx')
    t.match(await openBody.ended, /^HTTP\/1\.1 200 /)
    const refused = await say('GET /v1/services HTTP/1.1\r\nhost: localhost\r\n\r\n')
    t.match(await refused.ended, /^HTTP\/1\.1 401 /)
    const upload =
      'POST /v1/packages HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/gzip\r\ncontent-length: 9\r\n\r\n'
    t.match(await (await say(upload)).ended, /^HTTP\/1\.1 401 /)
    const whole = 'GET /v1/whoami HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer secret\r\n\r\n'
    const known = await say(whole)
    for (const again of [whole, '']) {
      const answer: unknown[] = await once(known.socket, 'data')
      t.match(String(answer[0]), /^HTTP\/1\.1 200 /)
      t.notMatch(String(answer[0]), /\r\nconnection: close/i)
      if (again !== '') known.socket.write(again)
    }
  })

  t.test(`over ${road} there are only so many connections, and a place is free again once one goes`, async t => {
    const { say } = await serve(t, road, { maxConnections: 3 })
    const holding = await Promise.all(['GET /', 'GET /', 'GET /'].map(say))
    const whole = 'GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n'
    const refused = await say(whole)
    t.equal(await refused.ended, '')
    holding[0]?.socket.destroy()
    let answer = ''
    // Its going is seen by the other side a moment later.
    while (answer === '') answer = await (await say(whole)).ended
    t.match(answer, /^HTTP\/1\.1 200 /)
  })
}
