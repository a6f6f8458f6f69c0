import { request as requestPlain, type ClientRequest, type RequestOptions } from 'node:http'
import { request as requestSecure } from 'node:https'
import { X509Certificate } from 'node:crypto'
import type { PeerCertificate } from 'node:tls'
import type { Address } from '../address.ts'
import { isController } from './identity.ts'

/** What a member shows the controller, and what it knows it by. PEM. */
export interface Credentials {
  readonly ca: string
  readonly cert: string
  readonly key: string
}

/** How the controller is reached: by its socket on this machine, else over mutual TLS. */
export type ControllerRoad =
  | { readonly kind: 'socket'; readonly path: string }
  | {
      readonly kind: 'tls'
      readonly address: Address
      /** They are renewed: asked for at each connection. */
      readonly credentials: () => Credentials
    }

/** A request to the controller; nothing is kept alive. */
export function askController(road: ControllerRoad, options: RequestOptions): ClientRequest {
  if (road.kind === 'socket') return requestPlain({ socketPath: road.path, agent: false, ...options })
  const { host, port } = road.address
  return requestSecure({ host, port, agent: false, ...secureOptions(road.credentials()), ...options })
}

/** Options of a TLS connection that trusts the controller alone, by whatever name or address it is reached. */
export function secureOptions(credentials: Partial<Credentials>): Partial<Credentials> & {
  minVersion: 'TLSv1.3'
  checkServerIdentity: (host: string, certificate: PeerCertificate) => Error | undefined
} {
  return {
    ...credentials,
    minVersion: 'TLSv1.3',
    // The authority signs nothing but the controller and its members, so what the certificate says decides, not the host.
    checkServerIdentity: (_host, certificate) =>
      isController(new X509Certificate(certificate.raw)) ? undefined : new Error('this is not the controller'),
  }
}
