import { Agent, createServer } from 'node:http'
import type { createProxyServer } from 'http-proxy'
import { ORIGIN_PORT, serve } from './serve.ts'

/** A front of one http-proxy, with what makes it fast: connections that stay. It adds X-Forwarded-* and Via, no random id. */
export function serveHttpProxy(create: typeof createProxyServer): void {
  const proxy = create({
    target: { host: '127.0.0.1', port: ORIGIN_PORT },
    agent: new Agent({ keepAlive: true, maxSockets: Infinity, maxFreeSockets: 512 }),
    xfwd: true,
    headers: { via: '1.1 http-proxy' },
  })
  proxy.on('error', (_error, _request, response) => response.destroy())
  const server = createServer({ noDelay: true }, (request, response) => proxy.web(request, response))
  server.on('upgrade', (request, socket, head) => proxy.ws(request, socket, head))
  serve(server)
}
