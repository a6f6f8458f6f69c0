import { VipswapError } from '../core/errors.ts'
import type { AdminTlsConfig } from './fabric-config.ts'

/** What the flags `--tls-cert`, `--tls-key` and `--client-ca` say goes before what the file says. Throws `usage`. */
export function tlsOf(
  written: AdminTlsConfig | null,
  flags: Readonly<Partial<Record<'cert' | 'key' | 'clientCa', string | undefined>>>,
): AdminTlsConfig | null {
  const { cert = written?.cert, key = written?.key, clientCa = written?.clientCa ?? null } = flags
  if (cert !== undefined && key !== undefined) return { cert, key, clientCa, roles: written?.roles ?? null }
  if (cert === undefined && key === undefined && clientCa === null) return null
  throw new VipswapError('usage', 'give --tls-cert FILE and --tls-key FILE together; --client-ca FILE needs both')
}
