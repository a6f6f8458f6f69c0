// A chat over WebSocket, with the same messages as server-sent events. What is said reaches all that are connected to
// the same instance.
import { createServer } from 'node:http'
import { renderPage } from './page.js'
import { acceptWebSocket } from './websocket.js'

const VERSION = '1.0.0'
const { PORT = '8090', HOST = '127.0.0.1', ROLE_INSTANCE_ID: instance = 'local' } = process.env
const sockets = new Set()
const talkers = new Set()
const streams = new Set()
const open = new Set()
let stopping = false

const server = createServer((request, response) => {
  const [pathname] = request.url.split('?')
  track(response)
  if (pathname === '/healthz') return send(response, 200, 'text/plain', 'ok\n')
  if (pathname === '/events') return events(response)
  if (pathname !== '/') return send(response, 404, 'text/plain', `there is no ${pathname} here\n`)
  if ((request.headers.accept ?? '').includes('text/html')) {
    return send(response, 200, 'text/html; charset=utf-8', renderPage({ version: VERSION, instance }))
  }
  const about = { service: 'chat', version: VERSION, instance, connected: sockets.size }
  send(response, 200, 'application/json', `${JSON.stringify(about)}\n`)
})

/** `/chat`: to everybody, the speaker included. `/echo`: back to the speaker alone. */
server.on('upgrade', (request, socket, head) => {
  const [pathname] = request.url.split('?')
  if (pathname !== '/chat' && pathname !== '/echo') {
    return socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
  }
  const connection = acceptWebSocket(request, socket, head)
  if (connection === null) return
  sockets.add(connection)
  if (pathname === '/chat') talkers.add(connection)
  connection.onmessage = data => (pathname === '/echo' ? connection.send(data) : say(data))
  connection.onclose = () => {
    sockets.delete(connection)
    talkers.delete(connection)
  }
  if (stopping) connection.close(1001)
})

function say(data) {
  for (const talker of talkers) talker.send(data)
  if (typeof data === 'string') for (const stream of streams) stream.write(asEvent('message', data))
}

function asEvent(name, data) {
  return `event: ${name}\n${data
    .split(/\r?\n|\r/)
    .map(line => `data: ${line}\n`)
    .join('')}\n`
}

function events(response) {
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' })
  response.write(asEvent('hello', JSON.stringify({ version: VERSION, instance })))
  streams.add(response)
  response.on('close', () => streams.delete(response))
}

function send(response, status, type, body) {
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) })
  response.end(body)
}

/** A connection that stayed open after its last answer would keep a stopping server alive. */
function track(response) {
  open.add(response)
  if (stopping) response.setHeader('Connection', 'close')
  response.on('close', () => {
    open.delete(response)
    if (stopping) setImmediate(() => server.closeIdleConnections())
  })
}

/** Asks everybody to come again (1001), ends the streams, and is gone when the last has left. */
function stop() {
  stopping = true
  for (const response of open) if (!response.headersSent) response.setHeader('Connection', 'close')
  for (const connection of sockets) connection.close(1001)
  for (const stream of streams) stream.end()
  server.close(() => process.exit(0))
}

process.on('SIGTERM', stop)
process.on('SIGINT', stop)
server.listen(Number(PORT), HOST, () => console.log(`chat ${VERSION} listens on ${HOST}:${server.address().port}`))
