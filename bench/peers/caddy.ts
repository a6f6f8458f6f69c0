import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startServer, versionOf } from './command.ts'
import type { Peer, Setup } from './peer.ts'
import { freePort } from './ports.ts'

/** Caddy with its own X-Forwarded-* and the other fields that vipswap adds. */
export const caddy: Peer = {
  name: 'caddy',
  version: () => `Caddy ${versionOf('caddy', 'version')}`,
  lacks: () => null,
  async start(setup) {
    const port = await freePort()
    const file = join(setup.folder, 'Caddyfile')
    writeFileSync(file, configuration(setup, port))
    const { folder } = setup
    const env = { ...process.env, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder, GOMAXPROCS: '1' }
    return startServer(setup, port, 'caddy', ['run', '--adapter', 'caddyfile', '--config', file], env)
  },
}

function configuration({ origin, tls }: Setup, port: number): string {
  return `
{
  admin off
  auto_https off
  log {
    level ERROR
  }
}
${tls === null ? 'http' : 'https'}://:${port} {
  bind 127.0.0.1
  ${tls === null ? '' : `tls ${tls.certificate} ${tls.key}`}
  reverse_proxy 127.0.0.1:${origin} {
    header_up X-Request-ID {http.request.uuid}
    header_up Via "1.1 caddy"
    transport http {
      keepalive_idle_conns_per_host 512
      compression off
    }
  }
}
`
}
