/**
 * A server that speaks everything `--verify` sends, and counts what comes to /work. `drop: N` breaks off its Nth request
 * there without an answer; `cut: true` breaks WebSockets off without a Close frame.
 */
export function probedServer({ drop = 0, cut = false }: { drop?: number; cut?: boolean } = {}): string {
  return `
const http = require('node:http')
const crypto = require('node:crypto')
let work = 0
const server = http.createServer((request, response) => {
  response.setHeader('x-version', process.env.ROLE_VERSION)
  if (request.url === '/env') return response.end(JSON.stringify(process.env))
  if (request.url === '/warmed') return response.end(String(warm))
  if (request.url === '/warm') { warm += 1; response.statusCode = warm < 3 ? 503 : 204; return response.end() }
  if (request.url === '/events') {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const timer = setInterval(() => response.write('data: tick\\n\\n'), 50)
    return response.on('close', () => clearInterval(timer))
  }
  if (request.url === '/work' && ++work === ${drop}) return request.socket.destroy()
  if (request.url === '/slow') return setTimeout(() => response.end('slow'), 300)
  let size = 0
  request.on('data', part => { size += part.length })
  request.on('end', () => response.end(process.env.ROLE_VERSION + ' ' + size))
})
let warm = 0
server.on('upgrade', (request, socket) => {
  const accept = crypto.createHash('sha1').update(request.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64')
  socket.write('HTTP/1.1 101 Switching Protocols\\r\\nupgrade: websocket\\r\\nconnection: upgrade\\r\\nsec-websocket-accept: ' + accept + '\\r\\n\\r\\n')
  socket.on('error', () => {})
  socket.on('end', () => socket.end())
  socket.on('data', frame => {
    const opcode = frame[0] & 15
    if (opcode === 8) return socket.end(Buffer.from([0x88, 0]))
    if (opcode !== 1) return
    if (${cut}) return socket.destroy()
    const length = frame[1] & 127
    const mask = frame.subarray(2, 6)
    const text = Buffer.from(frame.subarray(6, 6 + length)).map((byte, index) => byte ^ mask[index % 4])
    socket.write(Buffer.concat([Buffer.from([0x81, length]), text]))
  })
})
server.listen(process.env.PORT, process.env.HOST)
process.on('SIGTERM', () => {
  server.close(() => process.exit(0))
  server.closeIdleConnections()
  setTimeout(() => process.exit(0), 500).unref()
})
`
}
