import { readFileSync } from 'node:fs'
import type { ClientTls } from '../client/client.ts'
import { VipswapError, systemCode } from '../core/errors.ts'
import type { Terminal } from './terminal.ts'

/** Files of `--ca`, `--cert` and `--key`, or of the environment. */
interface TlsFlags {
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
}

/** What an `https:` controller is trusted by, and what it is shown. Throws `usage`. */
export function clientTls(flags: TlsFlags, { env }: Terminal): ClientTls {
  const ca = flags.ca ?? env['VIPSWAP_CACERT']
  const cert = flags.cert ?? env['VIPSWAP_CLIENT_CERT']
  const key = flags.key ?? env['VIPSWAP_CLIENT_KEY']
  if ((cert === undefined) !== (key === undefined))
    throw new VipswapError('usage', 'give --cert FILE and --key FILE together')
  return {
    ...(ca === undefined ? {} : { ca: readText('--ca', ca) }),
    ...(cert === undefined || key === undefined ? {} : { cert: readText('--cert', cert), key: readText('--key', key) }),
  }
}

function readText(flag: string, path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new VipswapError('usage', `${flag} ${path} cannot be read (${systemCode(error) ?? 'unknown'})`)
  }
}
