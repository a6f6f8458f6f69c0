import { readFileSync } from 'node:fs'
import type { ClientTls } from '../client/client.ts'
import { VipswapError, systemCode } from '../core/errors.ts'
import type { Terminal } from './terminal.ts'

/** Files of `--ca`, `--client-cert` and `--client-key`, or of the environment. */
interface TlsFlags {
  readonly ca?: string | undefined
  readonly clientCert?: string | undefined
  readonly clientKey?: string | undefined
}

/** What an `https:` controller is trusted by, and what it is shown. Throws `usage`. */
export function clientTls(flags: TlsFlags, { env }: Terminal): ClientTls {
  const ca = flags.ca ?? env['VIPSWAP_CACERT']
  const cert = flags.clientCert ?? env['VIPSWAP_CLIENT_CERT']
  const key = flags.clientKey ?? env['VIPSWAP_CLIENT_KEY']
  if ((cert === undefined) !== (key === undefined))
    throw new VipswapError('usage', 'give --client-cert FILE and --client-key FILE together')
  return {
    ...(ca === undefined ? {} : { ca: readText('--ca', ca) }),
    ...(cert === undefined || key === undefined
      ? {}
      : { cert: readText('--client-cert', cert), key: readText('--client-key', key) }),
  }
}

function readText(flag: string, path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new VipswapError('usage', `${flag} ${path} cannot be read (${systemCode(error) ?? 'unknown'})`)
  }
}
