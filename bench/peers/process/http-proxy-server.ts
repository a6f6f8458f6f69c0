import { Agent, createServer } from 'node:http'
import type { createProxyServer } from 'http-proxy'
import { ORIGIN_PORT, serve } from './serve.ts'

const VIA = { via: '1.1 http-proxy' }
/** Else a client's `Connection: close` is passed on and closes the connection to the instance. */
const KEPT = { headers: { ...VIA, connection: 'keep-alive' } }

/** A front of one http-proxy, with what makes it fast: connections that stay. It adds X-Forwarded-* and Via, no random id. */
export function serveHttpProxy(create: typeof createProxyServer): void {
  const proxy = create({
    target: { host: '127.0.0.1', port: ORIGIN_PORT },
    agent: new Agent({ keepAlive: true, maxSockets: Infinity, maxFreeSockets: 512 }),
    xfwd: true,
    headers: VIA,
  })
  proxy.on('error', (_error, _request, response) => response.destroy())
  const server = createServer({ noDelay: true }, (request, response) => proxy.web(request, response, KEPT))
  server.on('upgrade', (request, socket, head) => proxy.ws(request, socket, head))
  serve(server)
}
