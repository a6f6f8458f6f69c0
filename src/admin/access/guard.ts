import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { VipswapError } from '../../core/errors.ts'
import { readTokenFile, readTokens } from '../../core/token-file.ts'
import { WatchedFiles } from '../../core/watched-files.ts'
import type { Logger } from '../../core/logger.ts'
import { ANYBODY, LOCAL, type Caller } from './caller.ts'
import { callerOfCertificate, type ClientRoles } from './client-certificate.ts'
import { FailedAttempts } from './failed-attempts.ts'
import { checkOrigin, checkOwnPage, checkSandboxOrigin, createHostCheck, isLoopback, READING } from './origins.ts'
import { Tokens } from './tokens.ts'

export interface GuardOptions {
  /** The address listened on. */
  readonly host: string
  /** Bearer tokens, as a token file has them. Without any only a loopback address may be listened on. */
  readonly token?: string | undefined
  /** A token file; read again when it changes. */
  readonly tokenFile?: string | undefined
  /** Further names callers may use for this controller. */
  readonly hostNames?: () => readonly string[]
  /** Whether callers may show certificates, and their roles; undefined: they may not. */
  readonly clients?: { readonly roles: ClientRoles } | undefined
  readonly log: Logger
}

/** What the guard is asked about a request. */
export interface Asked {
  readonly request: IncomingMessage
  /** Balancers ask it, or a page before it has a token: it needs none. */
  readonly open: boolean
  /** It may change something, whatever its method; default: it may not. */
  readonly acts?: boolean
}

/** Decides who may call, and who it is. */
export interface Guard {
  /**
   * Who calls. Throws `forbidden` for a `Host` that is no name of this controller, and where the page of another origin
   * wants to change something; `unauthorized`; `too_many_attempts`.
   */
  admit(asked: Asked): Caller
  /**
   * For a request of a page that somebody opened: who that is, which `findMaker` answers or throws. `ownName`: the page
   * has an origin of its own, else it is in a sandbox. Throws `forbidden` for a foreign `Host`, for the page of another
   * origin, and where the maker's token is gone.
   */
  admitFor(request: IncomingMessage, page: { findMaker: () => Caller; ownName: boolean }): Caller
  /** Reads the token file if it was changed, and cuts the connections of those whose token is gone. */
  refresh(): void
  /** Cuts the connections of those who showed a certificate: they are asked for it again. */
  cutCertificates(): void
  /** Whoever has no certificate may still have a token. */
  readonly takesTokens: boolean
}

/** Throws `usage` where an address is open to other machines and nothing guards it, or the token file cannot be used. */
export function createGuard(options: GuardOptions): Guard {
  const { host, token, tokenFile, hostNames, clients, log } = options
  const checkHost = createHostCheck(host, hostNames)
  const attempts = new FailedAttempts()
  const connections = new Map<Socket, Caller>()
  const cut = (isOut: (caller: Caller) => boolean): void => {
    for (const [socket, caller] of connections) if (isOut(caller)) socket.destroy()
  }
  const tokens = new Tokens(token === undefined ? [] : readTokens(token))
  const file =
    tokenFile === undefined
      ? null
      : new WatchedFiles([tokenFile], () => readTokenFile(tokenFile), {
          onChange(read) {
            tokens.replace(read)
            log.info({ tokens: tokens.size }, 'the token file was changed and is in force')
            cut(caller => caller.means === 'token' && !tokens.has(caller))
          },
          onFault: message => log.error(`the changed token file is not used, the tokens before it stay: ${message}`),
        })
  if (file !== null) tokens.replace(file.value)
  if (!isLoopback(host) && tokens.size === 0 && clients === undefined) {
    throw new VipswapError(
      'usage',
      `the admin address ${host} can be reached from other machines: give --token-file FILE or --client-ca FILE, or listen on 127.0.0.1`,
    )
  }

  const remember = (socket: Socket, caller: Caller): Caller => {
    if (!connections.has(socket)) socket.once('close', () => connections.delete(socket))
    connections.set(socket, caller)
    return caller
  }

  return {
    admit({ request, open, acts = false }) {
      checkHost(request)
      if (acts || !READING.has(request.method ?? '')) checkOrigin(request)
      if (tokens.size === 0 && clients === undefined) return LOCAL
      if (open && READING.has(request.method ?? '')) return ANYBODY
      file?.refresh()
      const given = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1]
      if (given === undefined) {
        const known = clients === undefined ? null : callerOfCertificate(request.socket, clients.roles)
        if (known !== null) return remember(request.socket, known)
        const certificate = clients === undefined ? '' : ', or a client certificate: --cert and --key'
        throw new VipswapError('unauthorized', `a token is needed: --token, or authorization: Bearer${certificate}`)
      }
      const from = request.socket.remoteAddress ?? ''
      attempts.check(from)
      const caller = tokens.find(given)
      if (caller !== null) return remember(request.socket, caller)
      attempts.failed(from, given)
      throw new VipswapError('unauthorized', 'the token is not the right one')
    },
    admitFor(request, { findMaker, ownName }) {
      if (ownName) checkOwnPage(request)
      else {
        checkHost(request)
        checkSandboxOrigin(request)
      }
      const maker = findMaker()
      file?.refresh()
      if (maker.means === 'token' && !tokens.has(maker))
        throw new VipswapError(
          'forbidden',
          `the token of ${maker.name}, who opened this address, is not valid any more`,
        )
      return remember(request.socket, maker)
    },
    refresh: () => file?.refresh(),
    cutCertificates: () => cut(caller => caller.means === 'certificate'),
    takesTokens: tokens.size > 0,
  }
}
