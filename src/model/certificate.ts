/** A certificate with its key, checked: what the proxy shows. Holds a secret: never in answers, logs or events. */
export interface Certificate {
  /** SHA-256 of chain and key, hexadecimal. */
  readonly id: string
  /** PEM: the certificate, then its intermediates. */
  readonly chain: string
  /** PEM, not encrypted. */
  readonly key: string
  /** Host names and addresses it is for, lower-case; `*.example.org` stands for one label. */
  readonly names: readonly string[]
  /** Milliseconds since 1970. */
  readonly notAfter: number
}

/** Stands for a certificate wherever its key has no business. */
export interface CertificateRef {
  readonly id: string
}

/** Both the same where one file holds them. Paths inside the package. */
export interface CertificateFiles {
  readonly cert: string
  readonly key: string
}

/** One configuration or package brings at most so many: all go into one transaction of the journal. */
export const MAX_CERTIFICATES = 32

const DAY_MS = 86_400_000
const WARN_DAYS = 14

export function isExpired({ notAfter }: Pick<Certificate, 'notAfter'>, now: number): boolean {
  return notAfter <= now
}

/** `expired on 2026-01-31`, `expires on 2026-01-31, in 9 days`; null where that is more than 14 days away. */
export function expiryWarning({ notAfter }: Pick<Certificate, 'notAfter'>, now: number): string | null {
  const day = new Date(notAfter).toISOString().slice(0, 10)
  if (notAfter <= now) return `expired on ${day}`
  const days = Math.floor((notAfter - now) / DAY_MS)
  if (days >= WARN_DAYS) return null
  return `expires on ${day}, ${days === 0 ? 'within a day' : `in ${days} day${days === 1 ? '' : 's'}`}`
}

/** Is `host` one of the names, or below a wildcard of one label? */
export function coversHost(names: readonly string[], host: string): boolean {
  return names.includes(host) || names.includes(host.replace(/^[^.]+/, '*'))
}
