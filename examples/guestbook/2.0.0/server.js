// A guestbook. The same in all three versions; what differs between them is protocol.js.
import { createServer } from 'node:http'
import { VERSION, accepts, handleEntries } from './protocol.js'
import { renderPage } from './page.js'

const { PORT = '8080', HOST = '127.0.0.1', ROLE_INSTANCE_ID: instance = 'local' } = process.env
const streams = new Set()
const open = new Set()
let stopping = false

const server = createServer((request, response) => {
  const [pathname, query] = request.url.split('?')
  // A client that talks for a long time learns from these whom it met and what that one understands.
  response.setHeader('Guestbook-Instance', instance)
  response.setHeader('Guestbook-Accepts', accepts.join(', '))
  track(response)
  switch (pathname) {
    case '/':
      return home(request, response)
    case '/healthz':
      return send(response, 200, 'text/plain', 'ok\n')
    case '/entries':
      return handleEntries(request, response)
    case '/slow':
      return slow(response, Number(new URLSearchParams(query).get('ms') ?? 1000))
    case '/echo':
      return echo(request, response)
    case '/events':
      return events(response)
    default:
      return send(response, 404, 'text/plain', `there is no ${pathname} here\n`)
  }
})

function home(request, response) {
  if ((request.headers.accept ?? '').includes('text/html')) {
    return send(response, 200, 'text/html; charset=utf-8', renderPage({ version: VERSION, instance, accepts }))
  }
  const about = { service: 'guestbook', version: VERSION, instance, accepts }
  send(response, 200, 'application/json', `${JSON.stringify(about)}\n`)
}

function slow(response, ms) {
  const wait = Math.min(Math.max(0, ms || 0), 60_000)
  setTimeout(() => send(response, 200, 'text/plain', `guestbook ${VERSION} took ${wait} ms\n`), wait)
}

/** The body comes back as it came: with its length where it had one, else chunked. */
function echo(request, response) {
  const { 'content-length': length, 'content-type': type = 'application/octet-stream' } = request.headers
  response.writeHead(200, { 'Content-Type': type, ...(length === undefined ? {} : { 'Content-Length': length }) })
  request.pipe(response)
}

/** Server-sent events: the version, once a second. */
function events(response) {
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' })
  const tick = () => response.write(`event: version\ndata: ${JSON.stringify({ version: VERSION, instance })}\n\n`)
  tick()
  const timer = setInterval(tick, 1000)
  streams.add(response)
  response.on('close', () => {
    clearInterval(timer)
    streams.delete(response)
  })
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

/** Takes no new connection, closes the idle ones, finishes what it is doing, and is gone. */
function stop() {
  stopping = true
  for (const response of open) if (!response.headersSent) response.setHeader('Connection', 'close')
  for (const response of streams) response.end()
  server.close(() => process.exit(0))
}

process.on('SIGTERM', stop)
process.on('SIGINT', stop)
server.listen(Number(PORT), HOST, () => console.log(`guestbook ${VERSION} listens on ${HOST}:${server.address().port}`))
