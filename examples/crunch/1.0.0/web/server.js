// Takes jobs and shows results; keeps nothing itself, so any instance answers the same.
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'

const VERSION = '1.0.0'
const {
  PORT = '8070',
  HOST = '127.0.0.1',
  ENDPOINT_STORE_JOBS: store = '127.0.0.1:8071',
  ROLE_INSTANCE_ID: instance = 'local',
} = process.env
const open = new Set()
let stopping = false

const server = createServer(async (request, response) => {
  track(response)
  const [pathname] = request.url.split('?')
  try {
    if (pathname === '/healthz') return send(response, 200, 'text/plain', 'ok\n')
    if (pathname === '/jobs' && request.method === 'POST') return await pass(response, 'POST', await text(request))
    if (pathname === '/jobs') return await pass(response, 'GET')
    if (pathname !== '/') return send(response, 404, 'text/plain', `there is no ${pathname} here\n`)
    if ((request.headers.accept ?? '').includes('text/html'))
      return send(response, 200, 'text/html; charset=utf-8', renderPage())
    send(response, 200, 'application/json', `${JSON.stringify({ service: 'crunch', version: VERSION, instance })}\n`)
  } catch (error) {
    send(
      response,
      502,
      'text/plain',
      `the store at ${store} does not answer: ${error.cause?.message ?? error.message}\n`,
    )
  }
})

async function pass(response, method, body) {
  const answer = await fetch(`http://${store}/jobs`, { method, body, headers: { 'Content-Type': 'application/json' } })
  send(response, answer.status, answer.headers.get('content-type') ?? 'text/plain', await answer.text())
}

function send(response, status, type, body) {
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) })
  response.end(body)
}

function renderPage() {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Crunch ${VERSION}</title>
<style>body { font: 16px/1.5 system-ui, sans-serif; max-width: 36rem; margin: 3rem auto; padding: 0 1rem }</style>
<h1>Crunch ${VERSION}</h1>
<p>Answered by ${instance}.</p>
<form>How many primes up to <input name="upTo" type="number" min="2" max="10000000" value="1000000"> <button>Count</button></form>
<ul></ul>
<script>
  const list = document.querySelector('ul')
  async function show() {
    const { jobs } = await (await fetch('/jobs')).json()
    const lines = jobs.reverse().map(job => 'up to ' + job.upTo + ': ' + (job.primes ?? job.state) + (job.worker ? ' (' + job.worker + ')' : ''))
    list.replaceChildren(...lines.map(line => Object.assign(document.createElement('li'), { textContent: line })))
  }
  document.querySelector('form').onsubmit = async event => {
    event.preventDefault()
    await fetch('/jobs', { method: 'POST', body: JSON.stringify({ upTo: Number(event.target.upTo.value) }) })
    show()
  }
  setInterval(show, 1000)
  show()
</script>
</html>
`
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

function stop() {
  stopping = true
  for (const response of open) if (!response.headersSent) response.setHeader('Connection', 'close')
  server.close(() => process.exit(0))
}

process.on('SIGTERM', stop)
process.on('SIGINT', stop)
server.listen(Number(PORT), HOST, () => console.log(`crunch ${VERSION} listens on ${HOST}:${server.address().port}`))
