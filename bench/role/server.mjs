// The role that the benchmarks load: every answer says who gave it. Node built-ins only.
import { createHash } from 'node:crypto'
import { appendFileSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'

const version = readFileSync(new URL('version.txt', import.meta.url), 'utf8').trim()
const deployment = process.env.DEPLOYMENT_ID ?? `direct-${version}`
const instance = process.env.ROLE_INSTANCE_ID ?? String(process.pid)
const sockets = new Set()
// For tests that must know when a request has arrived.
const tell = process.env.TELL === undefined ? () => {} : path => process.stdout.write(`asked ${path}\n`)

let stopping = false
let lastAnswerAt = 0

// For the upgrade bench: when this process began, listened, was told to stop and ended, by its own clock.
const timeline = process.env.SETTING_TIMELINE ?? ''
const upgradeDomain = Number(process.env.UPGRADE_DOMAIN ?? 0)
const wallNow = () => performance.timeOrigin + performance.now()
function mark(what, at = wallNow()) {
  if (timeline === '') return
  const line = { what, at, instance, version, pid: process.pid, domain: upgradeDomain, lastAnswerAt }
  appendFileSync(timeline, `${JSON.stringify(line)}\n`)
}
mark('began', performance.timeOrigin)
process.on('exit', () => mark('ended'))

// A version that falls ill in one domain: its probe fails a while after it was ready, its answers go on.
const illDomain = process.env.SETTING_ILL_DOMAIN ?? ''
const ILL_AFTER_MS = 400
let listeningAt = Infinity
const isIll = () => illDomain === process.env.UPGRADE_DOMAIN && performance.now() - listeningAt > ILL_AFTER_MS

function heads(request) {
  lastAnswerAt = wallNow()
  const own = { 'x-version': version, 'x-deployment': deployment, 'x-instance': instance }
  // server.close() ends only the connections that are idle at that moment.
  if (stopping && request.headers.upgrade === undefined) own.connection = 'close'
  const nonce = request.headers['x-nonce']
  return nonce === undefined ? own : { ...own, 'x-nonce': nonce }
}

const server = createServer((request, response) => {
  tell(request.url)
  const url = new URL(request.url ?? '/', 'http://role')
  if (url.pathname === '/healthz') {
    // Not an answer to a caller.
    response.writeHead(isIll() ? 503 : 200).end()
    return
  }
  const type = { 'content-type': 'application/octet-stream' }
  if (url.pathname === '/echo') {
    const chunks = []
    request.on('data', chunk => chunks.push(chunk))
    request.on('end', () => {
      const body = Buffer.concat(chunks)
      // A chunked question gets a chunked answer, in several pieces.
      if (request.headers['transfer-encoding'] === undefined) {
        response.writeHead(200, { ...heads(request), ...type, 'content-length': body.length }).end(body)
        return
      }
      response.writeHead(200, { ...heads(request), ...type })
      for (let at = 0; at < body.length; at += 5000) response.write(body.subarray(at, at + 5000))
      response.end()
    })
    return
  }
  request.resume()
  const body = `version ${version}\n`
  const answer = () => response.writeHead(200, { ...heads(request), 'content-length': body.length }).end(body)
  if (url.pathname === '/slow') setTimeout(answer, Number(url.searchParams.get('ms') ?? 200))
  else answer()
})

server.on('upgrade', (request, socket, first) => {
  const key = request.headers['sec-websocket-key']
  if (request.headers.upgrade?.toLowerCase() !== 'websocket' || typeof key !== 'string') {
    socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n')
    return
  }
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
  const lines = Object.entries(heads(request)).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ${accept}\r\n${lines.join('')}\r\n`,
  )
  sockets.add(socket)
  tell(request.url)
  let pending = first
  const read = chunk => {
    pending = Buffer.concat([pending, chunk])
    for (let frame = takeFrame(pending); frame; frame = takeFrame(pending)) {
      pending = pending.subarray(frame.size)
      if (frame.opcode === 8) socket.end(makeFrame(8, frame.payload))
      else if (frame.opcode === 9) socket.write(makeFrame(10, frame.payload))
      else if (frame.opcode < 3) socket.write(makeFrame(frame.opcode, frame.payload))
    }
  }
  socket.on('data', read)
  socket.on('error', () => socket.destroy())
  socket.on('close', () => sockets.delete(socket))
  read(Buffer.alloc(0))
})

// RFC 6455 section 5.2, for frames below 64 KiB in one piece: all that the load sends.
function takeFrame(bytes) {
  if (bytes.length < 2) return undefined
  const short = bytes[1] & 127
  const head = 2 + (short === 126 ? 2 : 0) + 4
  if (bytes.length < head) return undefined
  const length = short === 126 ? bytes.readUInt16BE(2) : short
  if (bytes.length < head + length) return undefined
  const payload = Buffer.from(bytes.subarray(head, head + length))
  for (let i = 0; i < length; i += 1) payload[i] ^= bytes[head - 4 + (i % 4)]
  return { opcode: bytes[0] & 15, payload, size: head + length }
}

function makeFrame(opcode, payload) {
  const head =
    payload.length < 126 ? Buffer.from([0x80 | opcode, payload.length]) : Buffer.from([0x80 | opcode, 126, 0, 0])
  if (payload.length >= 126) head.writeUInt16BE(payload.length, 2)
  return Buffer.concat([head, payload])
}

process.on('SIGTERM', () => {
  stopping = true
  mark('told')
  server.close(() => process.exit(0))
  for (const socket of sockets) socket.end(makeFrame(8, Buffer.from([1001 >> 8, 1001 & 255])))
  setTimeout(() => process.exit(0), 8000).unref()
})

server.listen(Number(process.env.PORT ?? 0), process.env.HOST ?? '127.0.0.1', () => {
  process.stdout.write(`listening ${server.address().port}\n`)
  listeningAt = performance.now()
  mark('listens')
})
