// The list of jobs, kept in local storage: it is there again after a restart, a reboot and an upgrade.
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'

const { PORT = '8071', HOST = '127.0.0.1', LOCAL_STORAGE_JOBS: folder = '.' } = process.env
/** A job taken and not done for this long is given to another worker. */
const LEASE_MS = 10_000
const KEPT = 200

const file = join(folder, 'jobs.json')
let jobs = read()
const open = new Set()
let stopping = false

const server = createServer(async (request, response) => {
  track(response)
  try {
    const [status, body] = await route(request)
    const text = body === undefined ? '' : `${JSON.stringify(body)}\n`
    response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) })
    response.end(text)
  } catch (error) {
    response.writeHead(400, { 'Content-Type': 'text/plain' }).end(`${error.message}\n`)
  }
})

async function route(request) {
  switch (`${request.method} ${request.url}`) {
    case 'GET /healthz':
      return [200, { jobs: jobs.length }]
    case 'GET /jobs':
      return [200, { jobs }]
    case 'POST /jobs': {
      const { upTo } = await json(request)
      if (!Number.isInteger(upTo) || upTo < 2 || upTo > 10_000_000)
        throw new Error('upTo: a whole number from 2 to 10000000')
      const job = { id: `${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 8)}`, upTo, state: 'waiting' }
      save([...jobs, job].slice(-KEPT))
      return [201, job]
    }
    case 'POST /take': {
      const { worker = 'unknown' } = await json(request)
      const now = Date.now()
      const job = jobs.find(
        ({ state, takenAt = 0 }) => state === 'waiting' || (state === 'taken' && now - takenAt > LEASE_MS),
      )
      if (job === undefined) return [200, { job: null }]
      const taken = { ...job, state: 'taken', takenAt: now, worker }
      save(jobs.map(one => (one.id === job.id ? taken : one)))
      return [200, { job: taken }]
    }
    case 'POST /done': {
      const { id, primes, worker } = await json(request)
      const job = jobs.find(one => one.id === id)
      if (job === undefined) return [404, { error: `no job ${id}` }]
      // A second worker may have done it as well: the result is the same.
      const { takenAt: _, ...rest } = job
      save(jobs.map(one => (one.id === id ? { ...rest, state: 'done', primes, worker } : one)))
      return [200, {}]
    }
    default:
      return [404, { error: 'GET /jobs, POST /jobs, /take or /done' }]
  }
}

function read() {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return []
  }
}

function save(next) {
  jobs = next
  writeFileSync(`${file}.tmp`, JSON.stringify(jobs))
  renameSync(`${file}.tmp`, file)
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
server.listen(Number(PORT), HOST, () => console.log(`crunch store listens on ${HOST}:${server.address().port}`))
