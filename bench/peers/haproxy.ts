import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startServer, versionOf } from './command.ts'
import type { Peer, Setup } from './peer.ts'
import { freePort } from './ports.ts'

/** The header fields that vipswap adds: one random value names the request, another the trace; the span is a constant. */
const SAME_HEADERS = `
  http-request set-header X-Forwarded-For %[src]
  http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-request set-header X-Request-ID %[uuid]
  http-request set-header traceparent 00-%[rand,hex]%[rand,hex]%[rand,hex]%[rand,hex]-00f067aa0ba902b7-00
  http-request add-header Via 1.1\\ haproxy`

/** `bare` adds no header fields. */
export function haproxy(name: string, bare = false): Peer {
  return {
    name,
    version: () => versionOf('haproxy', '-v'),
    lacks: () => null,
    async start(setup) {
      const port = await freePort()
      const file = join(setup.folder, 'haproxy.cfg')
      writeFileSync(file, configuration(setup, port, bare ? '' : SAME_HEADERS))
      return startServer(setup, port, 'haproxy', ['-db', '-f', file])
    },
  }
}

function configuration({ origin, tls, largeBodies }: Setup, port: number, headers: string): string {
  return `
global
  nbthread 1
  maxconn 8000
  ${largeBodies ? 'tune.bufsize 131072' : ''}
defaults
  mode http
  http-reuse always
  backlog 8192
  timeout connect 3s
  timeout client 75s
  timeout server 60s
  timeout tunnel 1h
frontend front
  bind 127.0.0.1:${port}${tls === null ? '' : ` ssl crt ${tls.both}`}${headers}
  default_backend back
backend back
  server origin 127.0.0.1:${origin}
`
}
