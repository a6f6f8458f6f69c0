import { createProxyServer } from 'http-proxy'
import type { Socket } from 'node:net'
import type { FastifyRequest } from 'fastify'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { Agent } from 'undici'
import { lastWords } from '../core/last-words.ts'
import { formatAddress } from '../core/address.ts'
import { VipswapError, errorMessage } from '../core/errors.ts'
import { InstanceParams, findInstance, type AdminApp, type AdminContext } from './context.ts'
import { ENDPOINT_HEADER, answeredHeaders, forwardedHeaders, type Target } from './instance-headers.ts'
import { PROBLEM_TYPE, problemOf, toVipswapError } from './problem.ts'
import { PROXY, PROXY_ROOT as ROOT } from './calls/instances.ts'
import { readRoadAddress } from './road/address.ts'
import { isNavigation } from './road/navigation.ts'
import { openPage } from './road/open-page.ts'
import { keyInHost } from './road/own-name.ts'
import { preflightAnswer, sendFromSandbox } from './road/sandboxed-page.ts'

/**
 * The road to one chosen instance, whatever its slot and health: plain requests through undici, WebSocket through
 * `http-proxy`, which frames bodies wrongly and so never sees one.
 */
export interface InstanceProxy {
  register(app: AdminApp): Promise<void>
  /** For the server's `upgrade` event, after the caller was let in. */
  upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void
  close(): Promise<void>
}

export function createInstanceProxy({ api, closing, keys }: AdminContext): InstanceProxy {
  const agent = new Agent({ connect: { timeout: 5000 }, headersTimeout: 0, bodyTimeout: 0 })
  const tunnels = createProxyServer({ xfwd: true })
  // What an instance sets this way would be a cookie of the admin's own paths.
  tunnels.on('proxyReqWs', asked => {
    for (const event of ['upgrade', 'response'])
      asked.prependListener(event, (answer: IncomingMessage) => delete answer.headers['set-cookie'])
  })
  // Without a listener, a caller's reset of his WebSocket is thrown, and ends the controller. The socket is closed elsewhere.
  tunnels.on('error', () => {})
  const sockets = new Set<Socket>()

  const targetOf = (request: IncomingMessage): Target => {
    const road = readRoadAddress(request.url ?? '')
    if (road === null) {
      throw new VipswapError('not_found', 'there is nothing to upgrade to here; only …/instances/{id}/proxy/… takes it')
    }
    const { service, slot, instance, path } = road
    findInstance(api, service, slot, instance)
    const wanted = request.headers[ENDPOINT_HEADER]
    const endpoint = typeof wanted === 'string' ? wanted : undefined
    const address = api.instanceAddress(service, slot, instance, endpoint)
    if (address !== null) {
      if (road.key === null) return { ...address, path, prefix: road.root, from: 'caller' }
      if (keyInHost(request) === road.key) return { ...address, path, prefix: '', from: 'own-name' }
      return { ...address, path, prefix: `${road.root}/~${road.key}`, from: 'sandbox' }
    }
    const what = endpoint === undefined ? 'an endpoint' : `the endpoint "${endpoint}"`
    throw new VipswapError('unreachable', `${instance} does not listen on ${what} now`)
  }

  /** Where a browser finds the page that it asks for: what the page then loads comes without a token, and has a key. */
  const placeOfPage = ({ raw, caller }: FastifyRequest): string | null => {
    const road = readRoadAddress(raw.url ?? '')
    if (road === null || road.key !== null || !isNavigation(raw)) return null
    return openPage(keys, road, { raw, caller }).base + road.path
  }

  const forward = async ({ raw: request, id }: FastifyRequest, response: ServerResponse): Promise<void> => {
    const target = targetOf(request)
    const { 'content-length': length, 'transfer-encoding': coding } = request.headers
    if (coding !== undefined && coding.toLowerCase() !== 'chunked')
      throw new VipswapError(
        'invalid_request',
        `no other transfer-encoding than chunked is passed on, so not ${coding}`,
      )
    const left = new AbortController()
    response.once('close', () => left.abort())
    const answer = await agent.request({
      origin: `http://${formatAddress(target)}`,
      path: target.path,
      // undici's list of methods is open at run time.
      method: (request.method ?? 'GET') as 'GET',
      headers: { ...forwardedHeaders(request, target), 'x-request-id': id },
      body: length === undefined && coding === undefined ? null : request,
      signal: AbortSignal.any([left.signal, closing]),
    })
    response.writeHead(answer.statusCode, {
      ...answeredHeaders(answer.headers, target, request.headers),
      'x-request-id': id,
    })
    await pipeline(answer.body, response)
  }

  return {
    async register(app) {
      app.removeAllContentTypeParsers()
      // Any body is passed on unread.
      app.addContentTypeParser('*', (_request, _payload, done) => done(null))
      const path = '/v1/services/:service/slots/:slot/instances/:instance/proxy'
      for (const url of [path, `${path}/*`]) {
        app.all(
          url,
          { schema: { params: InstanceParams }, config: { call: url === path ? ROOT : PROXY } },
          (request, reply) => {
            const { from } = targetOf(request.raw)
            const place = placeOfPage(request)
            if (place !== null) return reply.redirect(place, 307)
            const allowed = from === 'sandbox' ? preflightAnswer(request.method, request.headers) : null
            if (allowed !== null) return reply.code(204).headers(allowed).send()
            reply.hijack()
            forward(request, reply.raw).catch((error: unknown) => {
              request.log.debug({ error: errorMessage(error) }, 'an instance did not answer')
              fail(reply.raw, error, request.id)
            })
            return reply
          },
        )
      }
    },
    upgrade(request, socket, head) {
      const target = targetOf(request)
      const { 'content-length': length, 'transfer-encoding': coding, upgrade } = request.headers
      if (coding !== undefined || (length !== undefined && length !== '0')) {
        throw new VipswapError('invalid_request', 'a request to upgrade may not carry a body')
      }
      if (upgrade?.toLowerCase() !== 'websocket' || request.method !== 'GET') {
        throw new VipswapError('invalid_request', 'only GET with upgrade: websocket is passed on')
      }
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
      request.url = target.path
      delete request.headers[ENDPOINT_HEADER]
      const changeOrigin = target.from !== 'own-name'
      if (changeOrigin) delete request.headers.authorization
      if (target.from === 'sandbox') sendFromSandbox(request.headers, target)
      tunnels.ws(request, socket, head, { target: `http://${formatAddress(target)}`, changeOrigin }, (error: Error) => {
        if (socket.writable && socket.bytesWritten === 0) lastWords(socket, rawProblem(unreachable(error)))
        else socket.destroy()
      })
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      await agent.destroy()
    },
  }
}

/** A whole HTTP/1.1 answer for a socket that has no response object, as in an `upgrade` event. */
export function rawProblem(error: VipswapError): string {
  const body = JSON.stringify(problemOf(error))
  return [
    `HTTP/1.1 ${error.status} ${error.code}`,
    `content-type: ${PROBLEM_TYPE}`,
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
    '',
    body,
  ].join('\r\n')
}

function fail(response: ServerResponse, thrown: unknown, id: string): void {
  if (response.headersSent || response.destroyed) {
    response.destroy()
    return
  }
  const error = thrown instanceof VipswapError ? toVipswapError(thrown) : unreachable(thrown)
  response.writeHead(error.status, { 'content-type': PROBLEM_TYPE, 'x-request-id': id, connection: 'close' })
  response.end(JSON.stringify(problemOf(error)))
}

function unreachable(thrown: unknown): VipswapError {
  return new VipswapError('unreachable', `the instance did not answer: ${errorMessage(thrown)}`)
}
