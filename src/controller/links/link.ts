import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex, Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { FromAgent, FromProxy, ToAgent, ToProxy } from '../../contracts/link.ts'
import { LINK_PROTOCOL } from '../../contracts/link.ts'
import { readLinkMessage } from '../../contracts/link-schema.ts'
import { VipswapError, errorMessage } from '../../core/errors.ts'
import { lastWords } from '../../core/last-words.ts'
import { jsonLines, type JsonLines } from '../../core/json-lines.ts'
import type { Logger } from '../../core/logger.ts'
import { uriOf, type MemberIdentity } from '../../core/member/identity.ts'
import type { SignedPackage } from '../../packages/trust.ts'

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
  /** What is known of a package's signatures, or null. */
  signaturesOf(digest: string): SignedPackage | null
}

/** What a link is served with. */
export interface LinkParts {
  readonly handlers: LinkHandlers
  /** Those that are open. */
  readonly links: Set<JsonLines>
  readonly log: Logger
  /** Who it is by its certificate, and may speak for alone; null: on the socket of this machine, whoever it says. */
  readonly identity: MemberIdentity | null
}

/** Answers an upgrade to the link, and serves it; null where it is none. */
export function acceptLink(request: IncomingMessage, socket: Duplex, parts: LinkParts): JsonLines | null {
  socket.on('error', () => socket.destroy())
  if (request.url !== '/link' || request.headers.upgrade !== LINK_PROTOCOL) {
    lastWords(socket, 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n')
    return null
  }
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: ${LINK_PROTOCOL}\r\nConnection: Upgrade\r\n\r\n`)
  return serveLink(socket, parts)
}

/** `GET /packages/<digest>`, `GET /packages/<digest>/signatures`. */
export async function servePackage(
  request: IncomingMessage,
  response: ServerResponse,
  handlers: LinkHandlers,
): Promise<void> {
  const asked = /^\/packages\/([0-9a-f]{64})\/signatures$/.exec(request.url ?? '')?.[1]
  const signed = asked === undefined || request.method !== 'GET' ? null : handlers.signaturesOf(asked)
  if (signed !== null) {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(signed))
    return
  }
  const digest = /^\/packages\/([0-9a-f]{64})$/.exec(request.url ?? '')?.[1]
  const content = digest === undefined || request.method !== 'GET' ? null : await handlers.openPackage(digest)
  if (content === null) {
    response.writeHead(404).end()
    return
  }
  response.writeHead(200, { 'content-type': 'application/x-tar' })
  await pipeline(content, response)
}

function serveLink(socket: Duplex, { handlers, links, log, identity }: LinkParts): JsonLines {
  let peer: ReturnType<LinkHandlers['onHello']> | null = null
  let said: { readonly kind: 'proxy' | 'agent'; readonly id: string } | null = null
  const link = jsonLines(socket, {
    onValue: value => {
      try {
        const message = readLinkMessage(value, said?.kind ?? null)
        if (message.type !== 'hello') peer?.onMessage(message)
        else if (said !== null) throw new VipswapError('invalid_request', 'it says hello twice')
        else if (identity !== null && uriOf(identity) !== uriOf({ kind: message.peer, name: message.id })) {
          log.warn(
            { member: uriOf(identity), says: `${message.peer} ${message.id}` },
            'a member spoke for another: hung up',
          )
          link.destroy()
        } else {
          said = { kind: message.peer, id: message.id }
          peer = handlers.onHello(message, { send: sent => link.send(sent), close: () => link.destroy() })
        }
      } catch (error) {
        // What is no message must not end the controller.
        const who = identity === null ? said : { ...said, member: uriOf(identity) }
        log.error({ peer: who, error: errorMessage(error) }, 'a message of a link could not be taken: hung up')
        link.destroy()
      }
    },
    onClose: reason => {
      links.delete(link)
      if (reason !== undefined) log.warn({ error: reason.message }, 'a link broke')
      peer?.onClose()
    },
  })
  links.add(link)
  return link
}
