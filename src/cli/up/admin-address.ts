import { createServer, isIPv6 } from 'node:net'
import { VipswapError, systemCode } from '../../core/errors.ts'

export interface AdminAddress {
  readonly host: string
  readonly port: number
}

/** `127.0.0.1:9090`, `[::1]:9090`, `:9090`, `9090` or a URL. Throws `usage`. */
export function parseAdminAddress(text: string): AdminAddress {
  const bare = text.replace(/^https?:\/\//, '').replace(/\/$/, '')
  const [, host = '', port] = /^(?:(\[[^\]]+\]|[^:[\]]*):)?(\d{1,5})$/.exec(bare) ?? []
  if (port === undefined || Number(port) > 65535) {
    throw new VipswapError('usage', `--admin "${text}": write HOST:PORT, for example 127.0.0.1:9090`)
  }
  return { host: host.replace(/^\[|\]$/g, '') || '127.0.0.1', port: Number(port) }
}

export function adminUrl({ host, port }: AdminAddress): string {
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  return `http://${isIPv6(reachable) ? `[${reachable}]` : reachable}:${port}`
}

/** Rejects with `port_in_use` if somebody listens there. */
export async function checkFree({ host, port }: AdminAddress): Promise<void> {
  const probe = createServer()
  try {
    await new Promise<void>((resolve, reject) => {
      probe.once('error', reject)
      probe.listen({ host, port, exclusive: true }, resolve)
    })
  } catch (error) {
    const code = systemCode(error)
    if (code === 'EADDRINUSE') {
      throw new VipswapError(
        'port_in_use',
        `the admin address ${host}:${port} is in use; stop what listens there, or choose another with --admin HOST:PORT`,
      )
    }
    throw new VipswapError('usage', `the admin address ${host}:${port} cannot be listened on (${code ?? 'unknown'})`)
  } finally {
    await new Promise(resolve => probe.close(resolve))
  }
}
