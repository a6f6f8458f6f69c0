import { LogController, fastify, type FastifyBaseLogger, type FastifyServerFactory } from 'fastify'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { METHODS, type IncomingMessage } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { boundConnections, headTimes } from '../core/bounded-server.ts'
import { whyNotJson } from '../core/json-error.ts'
import { lastWords } from '../core/last-words.ts'
import { formatAddress } from '../core/address.ts'
import { VipswapError, systemCode } from '../core/errors.ts'
import type { Logger } from '../core/logger.ts'
import type { Members } from '../controller/members/members.ts'
import type { ControllerApi } from '../controller/controller-api.ts'
import { AuditLog } from './audit/audit-log.ts'
import { AdminTls, type AdminTlsOptions } from './access/admin-tls.ts'
import { auditRequests, bodyDigest } from './audit/audit.ts'
import { admitRequests } from './access/admission.ts'
import { createGuard } from './access/guard.ts'
import type { AdminApp, AdminContext } from './context.ts'
import { createInstanceProxy, rawProblem } from './instance-proxy.ts'
import { sendProblem, toVipswapError } from './problem.ts'
import { collectRoutes } from './openapi/collect.ts'
import { accessRoutes } from './routes/access.ts'
import { documentRoutes } from './routes/documents.ts'
import { eventRoutes } from './routes/events.ts'
import { instanceRoutes } from './routes/instances.ts'
import { memberRoutes } from './routes/members.ts'
import { nodeRoutes } from './routes/nodes.ts'
import { operationRoutes } from './routes/operations.ts'
import { explainRoutes } from './routes/explain.ts'
import { pauseRoutes } from './routes/pause.ts'
import { packageRoutes } from './routes/packages.ts'
import { recoveryRoutes } from './routes/recovery.ts'
import { serviceRoutes } from './routes/services.ts'
import { healthRoutes } from './routes/health.ts'
import { slotRoutes } from './routes/slots.ts'
import { trafficRoutes } from './routes/traffic.ts'
import { systemRoutes } from './routes/system.ts'
import { requestIdOf } from './request-id.ts'
import { RoadKeys } from './road/keys.ts'
import { urlForRoutes } from './road/own-name.ts'
import { upgradeToInstance } from './upgrade.ts'
import { compileValidator } from './validation.ts'

export interface AdminOptions {
  readonly api: ControllerApi
  /** Agents and proxies of other machines; default: there are none. */
  readonly members?: Members | null
  /** Default 127.0.0.1. Any other than a loopback address needs `token`. */
  readonly host?: string
  /** 0 takes a free one. */
  readonly port: number
  /** Bearer tokens, as a token file has them. */
  readonly token?: string
  /** A file of them; read again when it changes. */
  readonly tokenFile?: string
  /** Further names in `Host` that mean this controller. */
  readonly hostNames?: readonly string[]
  /** Speak TLS; the files are read again when they change. */
  readonly tls?: AdminTlsOptions
  /** Largest package as uploaded; default 1 GiB. */
  readonly maxPackageBytes?: number
  /** Where changes are recorded, and beside it, in `refused.log`, calls that were not let in; default: nowhere. */
  readonly audit?: { readonly path: string; readonly maxBytes: number; readonly keep: number }
  /** Default 15 s. */
  readonly heartbeatMs?: number
  /** Connections at a time; default 1024, and at most half of the descriptors. */
  readonly maxConnections?: number
  /** For the head of a request; default 10 s. */
  readonly headTimeoutMs?: number
  readonly log: Logger
}

export interface Admin {
  readonly host: string
  readonly port: number
  /** `http://127.0.0.1:9090` */
  readonly url: string
  /** Ends event streams, waits and tunnels, lets running calls finish for up to a second, and closes. */
  close(): Promise<void>
}

const JSON_LIMIT_BYTES = 1024 * 1024
const CLOSE_GRACE_MS = 1000
const MAX_CONNECTIONS = 1024

/**
 * Serves the admin API (contract.md section 3). Rejects with `usage` where an address is open to other machines without
 * a token, and with `port_in_use`.
 */
export async function startAdmin(options: AdminOptions): Promise<Admin> {
  const { app, close } = buildAdmin(options)
  const host = options.host ?? '127.0.0.1'
  try {
    await app.listen({ host, port: options.port })
  } catch (error) {
    await close()
    if (systemCode(error) !== 'EADDRINUSE') throw error
    throw new VipswapError(
      'port_in_use',
      `the admin address ${host}:${options.port} is in use; stop what listens there, or choose another with --admin`,
      {},
      { cause: error },
    )
  }
  // Listening on TCP, so the address is not a path.
  const { port } = app.server.address() as AddressInfo
  const scheme = options.tls === undefined ? 'http' : 'https'
  return { host, port, url: `${scheme}://${formatAddress({ host, port })}`, close }
}

/** The API without a listener, for `inject`. */
export function buildAdmin(options: AdminOptions): { app: AdminApp; close: () => Promise<void> } {
  const { host = '127.0.0.1', token, tokenFile, hostNames = [], tls: tlsOptions } = options
  const tls = tlsOptions === undefined ? null : new AdminTls(tlsOptions, options.log)
  const guard = createGuard({
    host,
    token,
    tokenFile,
    hostNames: () => [...hostNames, ...(tls?.names ?? [])],
    clients: tls?.clients,
    log: options.log,
  })
  const closing = new AbortController()
  const context: AdminContext = {
    api: options.api,
    closing: closing.signal,
    maxPackageBytes: options.maxPackageBytes ?? 1024 ** 3,
    heartbeatMs: options.heartbeatMs ?? 15_000,
    audit: auditLog(options),
    members: options.members ?? null,
    keys: new RoadKeys((service, slot) => options.api.deployment(service, slot)?.id ?? null),
  }
  const proxy = createInstanceProxy(context)
  const log: FastifyBaseLogger = options.log.child({ part: 'admin' })
  const secure: FastifyServerFactory | null =
    tls === null ? null : handler => tls.createServer(handler, guard, options.headTimeoutMs)
  const app: AdminApp = fastify({
    loggerInstance: log,
    genReqId: requestIdOf,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' }),
    bodyLimit: JSON_LIMIT_BYTES,
    http: headTimes(options.headTimeoutMs),
    routerOptions: { maxParamLength: 500 },
    rewriteUrl: request => urlForRoutes(context.keys, request as IncomingMessage),
    ...(secure === null ? {} : { serverFactory: secure }),
    // Uploads take as long as they take.
    requestTimeout: 0,
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    clientErrorHandler: (error, socket) => {
      if (!socket.writable || systemCode(error) === 'ECONNRESET') socket.destroy()
      else lastWords(socket, rawProblem(unreadable(error)))
    },
    frameworkErrors: (error, _request, reply) => {
      void sendProblem(reply, toVipswapError(error))
    },
  }).withTypeProvider<TypeBoxTypeProvider>()
  app.setValidatorCompiler(compileValidator)
  for (const method of METHODS) {
    // What only the road to an instance takes.
    if (method !== 'CONNECT' && !app.supportedMethods.includes(method)) app.addHttpMethod(method, { hasBody: true })
  }
  boundConnections(app.server, {
    most: options.maxConnections ?? MAX_CONNECTIONS,
    share: 1 / 2,
    what: 'the admin address',
    log: options.log,
  })
  const routes = collectRoutes(app)

  auditRequests(app, context.audit)
  admitRequests(app, guard, context.keys)
  // Every body may be left out; what is then missing in it is told like any other fault.
  app.addHook('preValidation', async request => {
    if (request.body === undefined || request.body === null) request.body = {}
  })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, bytes, done) => {
    try {
      if (bytes.length > 0) request.audit.bodyDigest = bodyDigest(Buffer.from(bytes))
      done(null, bytes.length === 0 ? {} : JSON.parse(bytes.toString()))
    } catch (error) {
      done(new VipswapError('invalid_request', `body: this is not JSON: ${whyNotJson(error)}`))
    }
  })
  app.setErrorHandler((thrown, request, reply) => {
    const error = toVipswapError(thrown)
    request.audit.code = error.code
    if (error.status >= 500) request.log.error({ err: error.cause ?? error, code: error.code }, 'a call failed')
    return sendProblem(reply, error)
  })
  app.setNotFoundHandler((request, reply) =>
    sendProblem(
      reply,
      new VipswapError('not_found', `there is no call ${request.method} ${request.url}; GET / lists some`),
    ),
  )

  recoveryRoutes(app, context)
  systemRoutes(app, context)
  documentRoutes(app, routes)
  accessRoutes(app)
  serviceRoutes(app, context)
  slotRoutes(app, context)
  healthRoutes(app, context)
  operationRoutes(app, context)
  eventRoutes(app, context)
  nodeRoutes(app, context)
  memberRoutes(app, context)
  trafficRoutes(app, context)
  pauseRoutes(app, context)
  explainRoutes(app, context)
  instanceRoutes(app, context)
  void app.register(async inner => packageRoutes(inner, context))
  void app.register(async inner => proxy.register(inner))
  app.server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    upgradeToInstance({ guard, keys: context.keys, proxy, audit: context.audit }, request, socket, head)
  })
  // Node alone would hang up without a word.
  app.server.on('connect', (_request: IncomingMessage, socket: Socket) => {
    lastWords(socket, rawProblem(new VipswapError('not_found', 'CONNECT opens nothing here')))
  })

  const close = async (): Promise<void> => {
    closing.abort()
    await proxy.close()
    const late = setTimeout(() => app.server.closeAllConnections(), CLOSE_GRACE_MS)
    // Answers that end now leave idle connections behind, after Node looked for those.
    const idle = setInterval(() => app.server.closeIdleConnections(), 20)
    await app.close()
    clearInterval(idle)
    clearTimeout(late)
    tls?.close()
  }
  return { app, close }
}

/** What Node could not read as a request: RFC 9110 says by which status. */
function unreadable(error: Error): VipswapError {
  const code = systemCode(error)
  if (code === 'HPE_HEADER_OVERFLOW')
    return new VipswapError('headers_too_large', 'the head of the request is larger than 16 KiB')
  const what = code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 'the head of the request did not come in time' : error.message
  return new VipswapError('invalid_request', `this cannot be read as HTTP: ${what}`)
}

function auditLog({ audit, log }: AdminOptions): AuditLog | null {
  if (audit === undefined) return null
  return new AuditLog({ ...audit, onFault: message => log.error(message) })
}
