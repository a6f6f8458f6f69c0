import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startServer, versionOf } from './command.ts'
import type { Peer, Setup } from './peer.ts'
import { freePort } from './ports.ts'

/** The header fields that vipswap adds. nginx has one random value per request; the span is a constant. */
const SAME_HEADERS = `
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host $http_host;
      proxy_set_header X-Request-ID $request_id;
      proxy_set_header traceparent 00-$request_id-00f067aa0ba902b7-00;
      proxy_set_header Via "1.1 nginx";`

/** `bare` adds no header fields: what nginx does when it is asked for nothing. */
export function nginx(name: string, bare = false): Peer {
  return {
    name,
    version: () => versionOf('nginx', '-v'),
    lacks: () => null,
    async start(setup) {
      const port = await freePort()
      const file = join(setup.folder, 'nginx.conf')
      writeFileSync(file, configuration(setup, port, bare ? '' : SAME_HEADERS))
      return startServer(setup, port, 'nginx', ['-p', setup.folder, '-e', 'stderr', '-c', file])
    },
  }
}

function configuration({ folder, origin, tls, largeBodies }: Setup, port: number, headers: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  return `
${process.getuid?.() === 0 ? 'user root;' : ''}
daemon off;
worker_processes 1;
pid ${join(folder, 'nginx.pid')};
error_log stderr crit;
events { worker_connections 16384; }
http {
  access_log off;
  ${temporary.map(kind => `${kind}_temp_path ${join(folder, kind)};`).join('\n  ')}
  keepalive_requests 1000000000;
  client_max_body_size 16m;
  # Bodies stay in memory: the default of 16k would write each 64 KiB to a file.
  client_body_buffer_size 128k;
  ${largeBodies ? 'proxy_buffer_size 128k; proxy_buffers 8 128k; proxy_busy_buffers_size 256k;' : ''}
  upstream origin {
    server 127.0.0.1:${origin};
    keepalive 512;
    keepalive_requests 1000000000;
  }
  server {
    listen 127.0.0.1:${port}${tls === null ? '' : ' ssl'} backlog=8192;
    ${tls === null ? '' : `ssl_certificate ${tls.certificate}; ssl_certificate_key ${tls.key};`}
    location / {
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Connection "";${headers}
    }
    location /socket {
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Connection upgrade;
      proxy_set_header Upgrade $http_upgrade;${headers}
    }
  }
}
`
}
