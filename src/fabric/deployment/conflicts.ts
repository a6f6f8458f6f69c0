import { coversHost, type Certificate } from '../../model/certificate.ts'
import type { ErrorCode } from '../../core/errors.ts'
import { sameHost } from '../../model/vip-address.ts'
import { certificateFor } from '../certificates.ts'
import type { Draft } from '../draft.ts'
import type { Blocker } from '../refusal.ts'
import type { ListenerRecord, ServiceRecord } from '../state.ts'

/** One side of an address that more than one listener asks for. */
interface Claim {
  readonly service: string
  readonly listener: Readonly<ListenerRecord>
  readonly hostName: string
  /** Of the service's slots, both. */
  readonly hostNames: readonly string[]
  readonly certificates: readonly Certificate[]
}

/**
 * What speaks against these addresses of a service beside those of all services (and each other): several may share one
 * as long as all speak http, or all https, and each host name leads to one of them and shows one certificate.
 */
export function addressConflicts(
  draft: Draft,
  service: Readonly<ServiceRecord>,
  listeners: readonly Readonly<ListenerRecord>[],
): Blocker[] {
  const mine = listeners.flatMap(listener => claim(draft, service, listener))
  const others = [...draft.services.values()]
    .filter(({ name }) => name !== service.name)
    .flatMap(other => other.listeners.flatMap(listener => claim(draft, other, listener)))
  return mine.flatMap((one, index) =>
    [...others, ...mine.slice(0, index)].flatMap(other => {
      const why = meet(one.listener, other.listener) ? conflict(one, other) : null
      return why === null ? [] : [why]
    }),
  )
}

/** Only where a certificate stands against another: what a change of certificates or of occupants can bring about. */
export function certificateConflicts(
  draft: Draft,
  service: Readonly<ServiceRecord>,
  listeners: readonly Readonly<ListenerRecord>[],
): Blocker[] {
  return addressConflicts(draft, service, listeners).filter(({ code }) => code === 'certificate_conflict')
}

function claim(draft: Draft, service: Readonly<ServiceRecord>, listener: Readonly<ListenerRecord>): Claim[] {
  if (listener.slot === null || portOf(listener) === 0) return []
  const certificates = (listener.tls?.certificates ?? []).flatMap(id => draft.certificates.get(id) ?? [])
  const { name, hostNames } = service
  return [
    { service: name, listener, hostName: hostNames[listener.slot], hostNames: Object.values(hostNames), certificates },
  ]
}

/** A free port that was found is taken as much as one that was asked for. */
function portOf({ port, bound }: Readonly<ListenerRecord>): number {
  return port === 0 ? (bound ?? 0) : port
}

function meet(a: Readonly<ListenerRecord>, b: Readonly<ListenerRecord>): boolean {
  return portOf(a) === portOf(b) && sameHost(a.host, b.host)
}

function conflict(one: Claim, other: Claim): Blocker | null {
  const [a, b] = [one.listener, other.listener]
  const address = `${a.host.includes(':') ? `[${a.host}]` : a.host}:${portOf(a)}`
  const both = `${describe(one)} and ${describe(other)} both ask for ${address}`
  const because = (why: string, code: ErrorCode = 'address_conflict'): Blocker => ({ code, message: `${both}${why}` })
  const remedy = 'give one another port, or an address of its own (`vips`)'
  if (a.host !== b.host) return because(`, one of them on all addresses of the machine: ${remedy}`)
  if (a.protocol === 'tcp' || b.protocol === 'tcp') return because(`, and tcp shares its port with nothing: ${remedy}`)
  if (a.protocol !== b.protocol) return because(`, one as http, one as https: ${remedy}`)
  const name = disputedName(one, other)
  if (name !== null) {
    return because(
      `, with different certificates for the same host name ${name}: give both the same certificate and host names of their own (\`hostNames\`), or ${remedy}`,
      'certificate_conflict',
    )
  }
  if (one.hostName === other.hostName) {
    return because(`, both under the host name ${one.hostName}: give one another (\`hostNames\`), or ${remedy}`)
  }
  if (a.options.proxyProtocol !== b.options.proxyProtocol) {
    return because(
      `, and only one of them with the PROXY protocol: write the same proxyProtocol for both, or ${remedy}`,
    )
  }
  return null
}

/** A host name for which the two would show different certificates. */
function disputedName(one: Claim, other: Claim): string | null {
  const theirs = namesAskedFor(other)
  return (
    namesAskedFor(one).find(
      name =>
        theirs.includes(name) &&
        certificateFor(one.certificates, name)?.id !== certificateFor(other.certificates, name)?.id,
    ) ?? null
  )
}

/**
 * The host names callers of a listener ask TLS for: its slot's. Where its certificates are for none of the service's host
 * names, callers must be using the names in the certificates.
 */
function namesAskedFor({ hostName, hostNames, certificates }: Claim): string[] {
  if (certificates.length === 0) return []
  if (certificates.some(({ names }) => hostNames.some(host => coversHost(names, host)))) return [hostName]
  // No caller asks for an IP address by server name.
  const names = certificates.flatMap(certificate => certificate.names).filter(name => !/^[\d.]+$|:/.test(name))
  return [hostName, ...new Set(names)]
}

function describe({ service, listener }: Claim): string {
  return `service ${service} (${listener.slot ?? 'internal'} ${listener.role}/${listener.endpoint})`
}
