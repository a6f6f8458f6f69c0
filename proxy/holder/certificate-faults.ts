import { X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import type { Listener, RoutingTable } from '../../src/contracts/routing.ts'
import { errorMessage } from '../../src/core/errors.ts'

const PEM = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g

/** Which https listeners of a table cannot be served with what they are given, in words. What was looked at is remembered. */
export class CertificateFaults {
  #known = new Map<string, string | null>()
  #faults = new Map<string, string>()

  follow(table: RoutingTable): void {
    const looked = new Map<string, string | null>()
    this.#faults = new Map()
    for (const listener of table.listeners) {
      for (const [key, parts] of partsOf(listener, table)) {
        let fault = looked.get(key) ?? this.#known.get(key)
        if (fault === undefined) fault = parts === null ? 'not in the table' : faultOf(parts)
        looked.set(key, fault)
        if (fault !== null && !this.#faults.has(listener.key)) this.#faults.set(listener.key, `${key}: ${fault}`)
      }
    }
    this.#known = looked
  }

  /** Null: all of the listener's certificates can be used. */
  of(listenerKey: string): string | null {
    return this.#faults.get(listenerKey) ?? null
  }
}

function* partsOf(
  { key, tls }: Listener,
  table: RoutingTable,
): Iterable<[key: string, parts: { cert: string; key: string } | { ca: string } | null]> {
  if (tls === null) return
  for (const id of tls.certificates) {
    const certificate = table.certificates[id]
    yield [`certificate ${id}`, certificate === undefined ? null : { cert: certificate.chain, key: certificate.key }]
  }
  if (tls.clientAuth !== null) yield [`authorities of ${key}`, { ca: tls.clientAuth.ca }]
}

function faultOf(parts: { cert: string; key: string } | { ca: string }): string | null {
  try {
    // OpenSSL passes over authorities that it cannot read.
    if ('ca' in parts) return faultOfAuthorities(parts.ca)
    createSecureContext(parts)
    return null
  } catch (error) {
    return errorMessage(error)
  }
}

/** Throws if one of them is no certificate. */
function faultOfAuthorities(text: string): string | null {
  const found = text.match(PEM) ?? []
  for (const one of found) void new X509Certificate(one)
  return found.length === 0 ? 'there is no certificate' : null
}
