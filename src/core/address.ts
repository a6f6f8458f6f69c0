import { isIPv6 } from 'node:net'
import { VipswapError } from './errors.ts'

/** Where something listens. */
export interface Address {
  readonly host: string
  readonly port: number
}

/** `127.0.0.1:9090`, `[::1]:9090`, `:9090`, `9090` or a URL; the host is 127.0.0.1 where none is named. Throws `usage`. */
export function parseAddress(text: string): Address {
  const bare = text.replace(/^https?:\/\//, '').replace(/\/$/, '')
  const [, host = '', port] = /^(?:(\[[^\]]+\]|[^:[\]]*):)?(\d{1,5})$/.exec(bare) ?? []
  if (port === undefined || Number(port) > 65535) {
    throw new VipswapError('usage', `"${text}" is no address; write HOST:PORT, for example 127.0.0.1:9090`)
  }
  return { host: host.replace(/^\[|\]$/g, '') || '127.0.0.1', port: Number(port) }
}

/** `127.0.0.1:9090`, `[::1]:9090`: what `parseAddress` reads. */
export function formatAddress({ host, port }: Address): string {
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`
}
