import { chmodSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { MAX_SOCKET_PATH } from '../../contracts/link.ts'
import { VipswapError, errorMessage } from '../../core/errors.ts'
import type { JsonLines } from '../../core/json-lines.ts'
import type { Logger } from '../../core/logger.ts'
import { acceptLink, servePackage, type LinkHandlers } from './link.ts'

export interface LinkServer {
  close(): Promise<void>
}

/** Listens on the run folder's Unix socket (mode 0600) for proxies and agents. */
export async function startLinkServer(path: string, handlers: LinkHandlers, log: Logger): Promise<LinkServer> {
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH) {
    throw new VipswapError(
      'usage',
      `the socket path ${path} is longer than ${MAX_SOCKET_PATH} bytes: use a shorter --run folder`,
    )
  }
  await removeStale(path)
  const links = new Set<JsonLines>()
  const server = createServer((request, response) => {
    servePackage(request, response, handlers).catch((error: unknown) => {
      log.warn({ error: errorMessage(error), url: request.url }, 'sending a package failed')
      response.destroy()
    })
  })
  server.on('upgrade', (request, socket: Duplex) => {
    acceptLink(request, socket, { handlers, links, log, identity: null })
  })
  server.listen(path)
  await once(server, 'listening')
  chmodSync(path, 0o600)
  return {
    close: async () => {
      for (const link of links) link.destroy()
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** A socket file that nobody listens on is left from a killed controller; one that answers is another controller's. */
async function removeStale(path: string): Promise<void> {
  const probe = connect(path)
  const alive = await new Promise<boolean>(resolve => {
    probe.on('connect', () => resolve(true))
    probe.on('error', () => resolve(false))
  })
  probe.destroy()
  if (alive) throw new VipswapError('already_running', `another controller listens on ${path}`)
  rmSync(path, { force: true })
}
