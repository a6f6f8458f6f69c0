import { isIP } from 'node:net'
import type { VipAddress, VipAddresses } from './definition.ts'

const DEFAULT_VIPS: VipAddresses = {
  production: { host: '127.0.0.1', portOffset: 0 },
  staging: { host: '127.0.0.1', portOffset: 1 },
}

/** `10.0.0.5`, `127.0.0.1:+1000`, `[fd00::5]:+1`; null where the host is no IP address. */
export function parseVipAddress(text: string): VipAddress | null {
  const [, bracketed, plain, offset] = /^(?:\[([^\]]+)\]|([^:]+))(?::\+(\d+))?$/.exec(text) ?? []
  const host = bracketed ?? plain ?? ''
  const portOffset = Number(offset ?? 0)
  if (isIP(host) !== (bracketed === undefined ? 4 : 6) || portOffset > 65535) return null
  return { host, portOffset }
}

/** With defaults; an address that cannot be read counts as absent (it is a fault of its own). */
export function resolveVips(written: { readonly production?: string; readonly staging?: string } = {}): VipAddresses {
  const { production, staging } = written
  return {
    production: (production === undefined ? null : parseVipAddress(production)) ?? DEFAULT_VIPS.production,
    staging: (staging === undefined ? null : parseVipAddress(staging)) ?? DEFAULT_VIPS.staging,
  }
}

/** Would listening on the same port of both addresses clash? The wildcard addresses take every host. */
export function sameHost(a: string, b: string): boolean {
  return a === b || isWildcard(a) || isWildcard(b)
}

function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || /^[0:]+$/.test(host)
}
