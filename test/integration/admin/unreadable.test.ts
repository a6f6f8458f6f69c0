import { once } from 'node:events'
import { connect } from 'node:net'
import t from 'tap'
import { startAdmin } from '../../../src/admin/server.ts'
import { silentLogger } from '../../../src/core/logger.ts'
import { FakeController } from './fake-controller.ts'

// RFC 9457 for every refusal, also of what is not HTTP and never becomes a call.

t.test('what cannot be read as a request is refused by a problem document', async t => {
  const api = new FakeController()
  const admin = await startAdmin({ api, port: 0, log: silentLogger() })
  t.teardown(() => admin.close())
  const answerTo = async (text: string): Promise<{ head: string; body: string }> => {
    const socket = connect(admin.port, '127.0.0.1')
    let answer = ''
    socket.setEncoding('utf8').on('data', piece => void (answer += String(piece)))
    socket.write(text)
    await once(socket, 'end')
    socket.destroy()
    const [head = '', body = ''] = answer.split('\r\n\r\n')
    return { head, body }
  }
  const problem = /content-type: application\/problem\+json/
  const garbage = await answerTo('GARBAGE\r\n\r\n')
  t.match(garbage.head, /^HTTP\/1\.1 400 /)
  t.match(garbage.head, problem)
  t.match(JSON.parse(garbage.body), { code: 'invalid_request', status: 400 })
  const long = await answerTo(`GET / HTTP/1.1\r\nhost: localhost\r\nx: ${'a'.repeat(20_000)}\r\n\r\n`)
  t.match(long.head, /^HTTP\/1\.1 431 /)
  t.match(long.head, problem)
  t.match(JSON.parse(long.body), { code: 'headers_too_large', status: 431 })
  t.equal((await fetch(`${admin.url}/healthz`)).status, 200)

  // The instance would be sent the coded body without its coding.
  api.addService('guestbook')
  api.addresses.set('guestbook/production/web_IN_0/http', { host: '127.0.0.1', port: 1 })
  const road = '/v1/services/guestbook/slots/production/instances/web_IN_0/proxy/'
  const fields = 'host: localhost\r\ntransfer-encoding: gzip, chunked\r\nconnection: close'
  const coded = await answerTo(`POST ${road} HTTP/1.1\r\n${fields}\r\n\r\n0\r\n\r\n`)
  t.match(coded.head, /^HTTP\/1\.1 400 /)
  t.match(coded.body, /gzip, chunked/)
})
