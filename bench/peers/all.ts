import type { Native } from '../proxy/native.ts'
import { caddy } from './caddy.ts'
import { floor } from './floor.ts'
import { haproxy } from './haproxy.ts'
import { nginx } from './nginx.ts'
import { nodePeer } from './node-process.ts'
import { packageVersion } from './package-version.ts'
import type { Peer } from './peer.ts'
import { vipswap } from './vipswap.ts'

const NO_TLS = { tls: 'only the proxies that people put at the front are measured with TLS' }

/** Every peer there is, in the order of the report. */
export function allPeers(native: Native): Peer[] {
  return [
    vipswap,
    nginx('nginx'),
    haproxy('haproxy'),
    nginx('nginx-bare', true),
    haproxy('haproxy-bare', true),
    caddy,
    nodePeer('undici', 'undici', () => packageVersion('undici'), {
      ...NO_TLS,
      websocket: 'this small proxy has no tunnels',
    }),
    nodePeer('http-proxy', 'http-proxy-1', () => packageVersion('http-proxy-1'), NO_TLS),
    nodePeer('http-proxy-3', 'http-proxy-3', () => packageVersion('http-proxy'), NO_TLS),
    floor(native.floor),
  ]
}

export const PEER_NAMES = [
  'vipswap',
  'nginx',
  'haproxy',
  'nginx-bare',
  'haproxy-bare',
  'caddy',
  'undici',
  'http-proxy',
  'http-proxy-3',
  'floor',
]
