import { createPublicKey, verify, type X509Certificate } from 'node:crypto'
import { once, type EventEmitter } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { formatAddress, type Address } from '../../core/address.ts'
import { boundConnections, headTimes } from '../../core/bounded-server.ts'
import { VipswapError, errorMessage, systemCode } from '../../core/errors.ts'
import { lastWords } from '../../core/last-words.ts'
import type { JsonLines } from '../../core/json-lines.ts'
import type { Logger } from '../../core/logger.ts'
import { MEMBER_NAME, memberOf, uriOf, type MemberIdentity } from '../../core/member/identity.ts'
import { joinProof } from '../../core/member/join-token.ts'
import { acceptLink, servePackage, type LinkHandlers } from '../links/link.ts'
import type { Authority } from './authority.ts'
import type { Register } from './register.ts'

export interface MemberServerOptions {
  readonly address: Address
  readonly authority: Authority
  readonly register: Register
  readonly handlers: LinkHandlers
  /** Does a process on this machine have that name? */
  readonly isTaken: (identity: MemberIdentity) => boolean
  /** Of members' certificates, in milliseconds. */
  readonly lifeMs: number
  readonly log: Logger
}

export interface MemberServer {
  readonly address: Address
  /** Hangs up on a member. */
  cut(identity: MemberIdentity): void
  close(): Promise<void>
}

const MAX_BODY_BYTES = 16 * 1024
const OWN_LIFE_MS = 365 * 86_400_000
/** Its own certificate is changed, and ended ones are looked for. */
const OWN_RENEWAL_MS = 12 * 3_600_000
const SWEEP_MS = 1000
const TIMEOUT_MS = 10_000
const MAX_CONNECTIONS = 4096

const text = (maxLength: number) => Type.String({ maxLength })
const JoinBody = Compile(
  Type.Object({
    secret: text(100),
    kind: Type.Union([Type.Literal('agent'), Type.Literal('proxy')]),
    name: text(63),
    publicKey: text(1000),
    proof: text(1000),
  }),
)
const RenewBody = Compile(Type.Object({ publicKey: text(1000) }))

/** A link, or a package on its way. */
interface Open {
  readonly stream: { destroy(): void }
  readonly identity: MemberIdentity
  readonly endsAt: number
}

/**
 * Listens for agents and proxies on other machines: TLS 1.3 with a certificate of the controller's own authority on both
 * sides. Without one there is `POST /join`, which takes a join token, and nothing else.
 */
export async function startMemberServer(options: MemberServerOptions): Promise<MemberServer> {
  const { address, authority, register, handlers, lifeMs, log } = options
  const open = new Set<Open>()
  const links = new Set<JsonLines>()
  const server = createServer(
    {
      ...(await authority.issueOwn(OWN_LIFE_MS)),
      ca: authority.pem,
      minVersion: 'TLSv1.3',
      requestCert: true,
      // Newcomers have none; everything but joining asks for one below.
      rejectUnauthorized: false,
      handshakeTimeout: TIMEOUT_MS,
      ...headTimes(TIMEOUT_MS),
      // Packages take as long as they take.
      requestTimeout: 0,
    },
    (request, response) => {
      answer(request, response).catch((error: unknown) => fail(request, response, error))
    },
  )
  boundConnections(server, { most: MAX_CONNECTIONS, share: 1 / 4, what: 'the address of the links', log })
  server.on('tlsClientError', error => log.debug({ error: error.message }, 'a handshake of a link failed'))
  server.on('upgrade', (request, socket: Duplex) => {
    const identity = memberShown(request)
    if (identity === null) {
      log.warn({ from: addressOf(request) }, 'somebody without a certificate of a member wanted a link')
      lastWords(socket, 'HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n')
      return
    }
    const link = acceptLink(request, socket, { handlers, links, log, identity })
    if (link === null) return
    keepOpen({ stream: link, identity, endsAt: Date.parse(certificateOf(request)?.validTo ?? '') }, socket)
  })

  function keepOpen(entry: Open, until: EventEmitter): void {
    open.add(entry)
    until.once('close', () => open.delete(entry))
  }

  /** The member whose certificate a connection shows, if it is one in force. */
  function memberShown(request: IncomingMessage): MemberIdentity | null {
    const certificate = certificateOf(request)
    if (certificate === null) return null
    const identity = memberOf(certificate)
    // A connection is kept; its certificate may have ended, or been taken back, since it was shown.
    if (identity === null || Date.parse(certificate.validTo) <= Date.now()) return null
    return register.holds(identity, certificate.serialNumber) ? identity : null
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, url = '' } = request
    if (method === 'POST' && url === '/join') {
      send(response, 200, { certificate: await joined(await bodyOf(request)) })
      return
    }
    const identity = memberShown(request)
    if (identity === null) throw new VipswapError('forbidden', 'this takes a certificate of a member: join first')
    if (method === 'POST' && url === '/renew') {
      send(response, 200, { certificate: await renewed(request, identity, await bodyOf(request)) })
    } else if (method === 'GET' && identity.kind === 'agent') {
      // Once begun it may outlast the certificate it was asked for with.
      keepOpen({ stream: response, identity, endsAt: Infinity }, response)
      await servePackage(request, response, handlers)
    } else throw new VipswapError('forbidden', `this is not for ${uriOf(identity)}`)
  }

  async function joined(body: unknown): Promise<string> {
    if (!JoinBody.Check(body) || !MEMBER_NAME.test(body.name))
      throw new VipswapError('invalid_request', 'secret, kind, name, publicKey and proof are needed')
    const { secret, kind, name, publicKey, proof } = body
    const identity = { kind, name }
    register.checkToken(secret, identity, options.isTaken(identity))
    if (!isProof(joinProof(secret, kind, name), publicKey, proof))
      throw new VipswapError('invalid_request', 'the proof is not signed with the key')
    const certificate = await authority.issue(publicKey, { name, uri: uriOf(identity) }, lifeMs)
    // Once more: another may have used it up in between. From here to the disk nothing waits.
    const token = register.checkToken(secret, identity, options.isTaken(identity))
    register.joined(token, identity, certificate.serialNumber, Date.parse(certificate.validTo))
    cut(identity)
    log.info({ member: uriOf(identity) }, 'a member joined')
    return certificate.toString()
  }

  async function renewed(request: IncomingMessage, identity: MemberIdentity, body: unknown): Promise<string> {
    if (!RenewBody.Check(body)) throw new VipswapError('invalid_request', 'publicKey is needed')
    const shown = certificateOf(request)?.serialNumber ?? ''
    const subject = { name: identity.name, uri: uriOf(identity) }
    const certificate = await authority.issue(body.publicKey, subject, lifeMs)
    if (!register.holds(identity, shown)) throw new VipswapError('forbidden', `${uriOf(identity)} was removed`)
    register.renewed(identity, certificate.serialNumber, Date.parse(certificate.validTo))
    return certificate.toString()
  }

  function fail(request: IncomingMessage, response: ServerResponse, thrown: unknown): void {
    const known = thrown instanceof VipswapError ? thrown : null
    const error = known?.message ?? errorMessage(thrown)
    log.warn({ error, url: request.url?.slice(0, 200), from: addressOf(request) }, 'a request was refused')
    if (response.headersSent) response.destroy()
    else
      send(response, known?.status ?? 500, { code: known?.code ?? 'internal', detail: known?.message ?? 'it failed' })
  }

  function cut(identity: MemberIdentity): void {
    for (const each of open) if (uriOf(each.identity) === uriOf(identity)) each.stream.destroy()
  }

  const sweep = setInterval(() => {
    for (const { stream, endsAt } of open) if (endsAt <= Date.now()) stream.destroy()
  }, SWEEP_MS)
  const renewal = setInterval(() => {
    authority
      .issueOwn(OWN_LIFE_MS)
      .then(own => server.setSecureContext({ ...own, ca: authority.pem, minVersion: 'TLSv1.3' }))
      .catch((error: unknown) => log.error({ error: errorMessage(error) }, 'no new certificate for the links'))
  }, OWN_RENEWAL_MS)
  sweep.unref()
  renewal.unref()
  const bound = await listen(server, address)
  log.info({ links: `https://${formatAddress(bound)}` }, 'members of other machines may link')
  return {
    address: bound,
    cut,
    async close() {
      clearInterval(sweep)
      clearInterval(renewal)
      for (const link of links) link.destroy()
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

async function listen(server: Server, { host, port }: Address): Promise<Address> {
  try {
    const listening = once(server, 'listening')
    server.listen({ host, port })
    await listening
  } catch (error) {
    if (systemCode(error) !== 'EADDRINUSE') throw error
    throw new VipswapError(
      'port_in_use',
      `the address of the links ${host}:${port} is in use; choose another with --links`,
    )
  }
  const bound = server.address()
  return { host, port: typeof bound === 'object' && bound !== null ? bound.port : port }
}

/** What a connection shows and our authority has signed; null: nothing of the kind. */
function certificateOf({ socket }: IncomingMessage): X509Certificate | null {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return null
  return socket.getPeerX509Certificate() ?? null
}

/** Node takes the socket away from a request whose connection is gone, whatever its types say. */
function addressOf({ socket }: { socket: Socket | null }): string | undefined {
  return socket?.remoteAddress
}

function isProof(message: Buffer, publicKey: string, proof: string): boolean {
  try {
    return verify('sha256', message, createPublicKey(publicKey), Buffer.from(proof, 'base64'))
  } catch {
    return false
  }
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const late = setTimeout(() => request.destroy(), TIMEOUT_MS)
  try {
    let body = ''
    request.setEncoding('utf8')
    for await (const piece of request) {
      body += String(piece)
      if (body.length > MAX_BODY_BYTES) throw new VipswapError('request_too_large', 'the body is longer than 16 KiB')
    }
    const value: unknown = JSON.parse(body)
    return value
  } catch (error) {
    if (error instanceof VipswapError) throw error
    throw new VipswapError('invalid_request', 'the body is not JSON')
  } finally {
    clearTimeout(late)
  }
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json', connection: 'close' })
  response.end(JSON.stringify(body))
}
