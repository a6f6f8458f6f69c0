import type { X509Certificate } from 'node:crypto'

/** A process that speaks to the controller over a network. An agent's name is its node's. */
export interface MemberIdentity {
  readonly kind: MemberKind
  readonly name: string
}

export const MEMBER_KINDS = ['agent', 'proxy'] as const
export type MemberKind = (typeof MEMBER_KINDS)[number]

/** Of nodes and proxies alike: it names folders, and stands in certificates. */
export const MEMBER_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/

/** What a certificate of the controller's own authority says of its holder, in its one alternative name, a URI. */
export const CONTROLLER_URI = 'vipswap:controller'

export function uriOf({ kind, name }: MemberIdentity): string {
  return `vipswap:${kind}:${name}`
}

/** The holder of a certificate whose signature was checked; null where it is no member's. */
export function memberOf({ subjectAltName = '' }: X509Certificate): MemberIdentity | null {
  const [, kind, name = ''] = /^URI:vipswap:(agent|proxy):(\S+)$/.exec(subjectAltName) ?? []
  return (kind === 'agent' || kind === 'proxy') && MEMBER_NAME.test(name) ? { kind, name } : null
}

export function isController({ subjectAltName }: X509Certificate): boolean {
  return subjectAltName === `URI:${CONTROLLER_URI}`
}
