import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import t from 'tap'

// A Node that does not let its stream handles be reached: the sockets' own writes must serve as well.
Object.assign(process, { binding: undefined })
const { listener, pool, startOrigin, startPlane, table, target } = await import('./support.ts')

void t.test('without direct writes small and big messages pass both ways', async t => {
  const big = 'x'.repeat(3_000_000)
  const origin = await startOrigin(t, (received, socket, clear) => {
    const head = received.indexOf('\r\n\r\n')
    if (head === -1) return
    const length = Number(/content-length: (\d+)/i.exec(received)?.[1] ?? 0)
    if (received.length < head + 4 + length) return
    clear()
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${big.length}\r\nX-Got: ${length}\r\n\r\n${big}`)
  })
  const { port } = await startPlane(t, table([pool([target(origin)])], { listeners: [listener()] }))
  for (const body of ['small', big]) {
    const answered = await new Promise<{ got: unknown; body: string }>((resolve, reject) => {
      const asked = request({ host: '127.0.0.1', port, method: 'POST', agent: false }, response => {
        void text(response).then(came => resolve({ got: response.headers['x-got'], body: came }), reject)
      })
      asked.on('error', reject)
      asked.end(body)
    })
    t.equal(answered.got, String(body.length))
    t.equal(answered.body, big)
  }
})
