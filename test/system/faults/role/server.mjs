// The role that the fault suite harms. Node built-ins only. Settings say how it misbehaves, paths what it answers.
import { spawn } from 'node:child_process'
import { appendFileSync, existsSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'

const setting = name => process.env[`SETTING_${name}`] ?? ''
const instance = process.env.ROLE_INSTANCE_ID ?? String(process.pid)
const version = process.env.ROLE_VERSION ?? ''
const deployment = process.env.DEPLOYMENT_ID ?? ''
const mode = setting('MODE')
const number = (name, usual) => Number(setting(name) || usual)

// What was done to whom, outside of every process that may die: one short append, at once.
const ledger = setting('LEDGER')
function note(what, fact = {}) {
  if (ledger === '') return
  const line = { what, at: Date.now(), instance, deployment, version, pid: process.pid, group: process.ppid, ...fact }
  appendFileSync(join(ledger, `${deployment}-${instance}-${process.pid}.jsonl`), `${JSON.stringify(line)}\n`)
}

if (mode === 'crash' || (setting('SICK') !== '' && existsSync(setting('SICK')))) {
  process.stderr.write('I cannot start\n')
  process.exit(1)
}
note('began', { port: Number(process.env.PORT) })

const own = request => {
  const fields = { 'x-instance': instance, 'x-version': version, 'x-deployment': deployment }
  const nonce = request.headers['x-nonce']
  return nonce === undefined ? fields : { ...fields, 'x-nonce': nonce }
}
const delay = ms => new Promise(resolve => setTimeout(resolve, ms))
const drained = response => new Promise(resolve => response.once('drain', resolve))

const paths = {
  '/': (request, response) => response.writeHead(200, { ...own(request), 'content-length': 3 }).end('ok\n'),
  '/healthz': (_, response) => response.writeHead(mode === 'ill' ? 503 : 200).end(),
  async '/slow'(request, response, query) {
    await delay(Number(query.get('ms') ?? 200))
    paths['/'](request, response)
  },
  /** Never answered. */
  '/hang'() {},
  /** Says more than it gives. */
  '/cut'(request, response) {
    response.writeHead(200, { ...own(request), 'content-length': 1000 }).write('0123456789')
    setTimeout(() => response.socket?.destroy(), 20)
  },
  async '/drip'(request, response, query) {
    response.writeHead(200, { ...own(request), 'content-length': Number(query.get('n') ?? 5) })
    for (let n = Number(query.get('n') ?? 5); n > 0; n -= 1) {
      response.write('.')
      await delay(Number(query.get('ms') ?? 1000))
    }
    response.end()
  },
  async '/big'(request, response, query) {
    const piece = Buffer.alloc(256 * 1024, 'b')
    const count = Number(query.get('mib') ?? 1) * 4
    response.writeHead(200, { ...own(request), 'content-length': count * piece.length })
    for (let n = 0; n < count && !response.destroyed; n += 1) if (!response.write(piece)) await drained(response)
    response.end()
  },
  async '/interim'(request, response, query) {
    for (let n = Number(query.get('n') ?? 1000); n > 0; n -= 1)
      response.writeEarlyHints({ link: '</a.css>; rel=preload' })
    paths['/'](request, response)
  },
  async '/chunks'(request, response, query) {
    response.writeHead(200, own(request))
    for (let n = Number(query.get('n') ?? 1000); n > 0 && !response.destroyed; n -= 1) {
      if (!response.write('x')) await drained(response)
    }
    response.end()
  },
  '/events'(request, response) {
    response.writeHead(200, { ...own(request), 'content-type': 'text/event-stream' })
    let n = 0
    const timer = setInterval(() => response.write(`data: ${instance} ${n++}\n\n`), 50)
    response.on('close', () => clearInterval(timer))
  },
}

// Callers' requests that are being answered; streams and probes are none.
let open = 0
const server = createServer((request, response) => {
  const url = new URL(request.url ?? '/', 'http://role')
  if (url.pathname !== '/healthz' && url.pathname !== '/events') {
    open += 1
    response.on('close', () => (open -= 1))
  }
  response.on('close', () => {
    if (!response.writableFinished) note('aborted', { path: url.pathname })
  })
  const answer = paths[url.pathname] ?? paths['/']
  if (request.method !== 'POST') {
    request.resume()
    return answer(request, response, url.searchParams)
  }
  const chunks = []
  request.on('data', chunk => chunks.push(chunk))
  request.on('end', () => {
    note('executed', { nonce: request.headers['x-nonce'] })
    const body = Buffer.concat(chunks)
    const reply = () => response.writeHead(200, { ...own(request), 'content-length': body.length }).end(body)
    setTimeout(reply, Number(url.searchParams.get('ms') ?? 0))
  })
})

// Optional: laid beside this file by the row that needs it.
const { WebSocketServer } = await import('ws').catch(() => ({}))
if (WebSocketServer !== undefined) {
  const sockets = new WebSocketServer({ server })
  sockets.on('headers', (headers, request) => {
    for (const [name, value] of Object.entries(own(request))) headers.push(`${name}: ${value}`)
  })
  sockets.on('connection', socket => {
    socket.on('message', data => socket.send(`${instance} ${data}`))
    socket.on('error', () => {})
  })
}

process.on('SIGTERM', () => {
  note('told', { open })
  if (mode === 'deaf') return
  server.close(() => process.exit(0))
  server.closeIdleConnections()
  setTimeout(() => process.exit(0), 8000).unref()
})

if (mode === 'parent') {
  // A child that listens, and outlives its parent.
  spawn(process.execPath, [import.meta.filename ?? process.argv[1]], {
    env: { ...process.env, SETTING_MODE: '' },
    stdio: 'inherit',
  })
  setTimeout(() => process.exit(0), number('MS', 1500))
} else if (mode === 'mute') {
  setInterval(() => {}, 1000)
} else {
  setTimeout(
    () =>
      server.listen(Number(process.env.PORT), process.env.HOST, () => {
        note('listens')
        if (mode === 'faint') setTimeout(() => process.exit(1), number('MS', 500))
        if (mode === 'flood') flood()
      }),
    mode === 'late' ? number('MS', 2000) : 0,
  )
}

/** 100 MB/s of bytes that are no text and hold no newline. */
function flood() {
  const piece = Buffer.alloc(1 << 20, 0x81)
  let due = performance.now()
  const write = () => {
    if (process.stdout.writableLength > 0) return setTimeout(write, 1)
    process.stdout.write(piece)
    due += 10
    setTimeout(write, Math.max(0, due - performance.now()))
  }
  write()
}
