import { chmodSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { once } from 'node:events'
import type { Duplex, Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { FromAgent, FromProxy, ToAgent, ToProxy } from '../../contracts/link.ts'
import { LINK_PROTOCOL, MAX_SOCKET_PATH } from '../../contracts/link.ts'
import { VipswapError, errorMessage } from '../../core/errors.ts'
import { jsonLines, type JsonLines } from '../../core/json-lines.ts'
import type { Logger } from '../../core/logger.ts'

/** One peer on its link; messages arrive in order after its hello. */
export interface Connection {
  send(message: ToProxy | ToAgent): void
  close(): void
}

export interface LinkHandlers {
  /** A peer said hello. What is returned gets everything else it says. */
  onHello(
    hello: Extract<FromProxy | FromAgent, { type: 'hello' }>,
    connection: Connection,
  ): { onMessage(message: Exclude<FromProxy | FromAgent, { type: 'hello' }>): void; onClose(): void }
  /** The canonical tar of a package, or null. */
  openPackage(digest: string): Promise<Readable | null>
}

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
    socket.on('error', () => socket.destroy())
    if (request.url !== '/link' || request.headers.upgrade !== LINK_PROTOCOL) {
      socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n')
      return
    }
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: ${LINK_PROTOCOL}\r\nConnection: Upgrade\r\n\r\n`)
    serveLink(socket, handlers, links, log)
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

async function servePackage(request: IncomingMessage, response: ServerResponse, handlers: LinkHandlers): Promise<void> {
  const digest = /^\/packages\/([0-9a-f]{64})$/.exec(request.url ?? '')?.[1]
  const content = digest === undefined || request.method !== 'GET' ? null : await handlers.openPackage(digest)
  if (content === null) {
    response.writeHead(404).end()
    return
  }
  response.writeHead(200, { 'content-type': 'application/x-tar' })
  await pipeline(content, response)
}

function serveLink(socket: Duplex, handlers: LinkHandlers, links: Set<JsonLines>, log: Logger): void {
  let peer: ReturnType<LinkHandlers['onHello']> | null = null
  const link = jsonLines(socket, {
    onValue: value => {
      const message = value as FromProxy | FromAgent // peers are our own processes behind a 0700 folder
      if (message.type === 'hello') {
        peer = handlers.onHello(message, { send: sent => link.send(sent), close: () => link.destroy() })
      } else if (peer === null) {
        link.destroy()
      } else {
        peer.onMessage(message)
      }
    },
    onClose: reason => {
      links.delete(link)
      if (reason !== undefined) log.warn({ error: reason.message }, 'a link broke')
      peer?.onClose()
    },
  })
  links.add(link)
}
