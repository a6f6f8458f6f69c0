import { createServer } from 'node:net'
import { formatAddress, type Address } from '../../core/address.ts'
import { VipswapError, systemCode } from '../../core/errors.ts'

/** Where a client on this machine reaches it: a wildcard address is no place to call. */
export function adminUrl({ host, port }: Address, scheme: 'http' | 'https'): string {
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  return `${scheme}://${formatAddress({ host: reachable, port })}`
}

/** Rejects with `port_in_use` if somebody listens there. */
export async function checkFree({ host, port }: Address): Promise<void> {
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
