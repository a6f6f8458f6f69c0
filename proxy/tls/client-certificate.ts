import type { X509Certificate } from 'node:crypto'

/** A name of a certificate in Node's text, which puts what could be misread in JSON's quotes. */
const ALTERNATIVE = /(DNS|URI|[A-Za-z0-9 ]+):("(?:[^"\\]|\\.)*"|[^,"]*)(?:, |$)/gy
const VISIBLE = /^[\x21-\x7e]+$/
const NEEDS_QUOTES = /[,;="\\]/
/** Names beyond this are left out: an instance takes no head of any length. */
const MAX_NAMES = 4096

/**
 * A verified client certificate as the value of `X-Forwarded-Client-Cert`, in Envoy's form: the SHA-256 of its DER, its
 * subject as in RFC 2253, its URIs and DNS names. Visible ASCII only.
 */
export function forwardedClientCertificate(
  certificate: Pick<X509Certificate, 'fingerprint256' | 'subject' | 'subjectAltName'>,
): string {
  const hash = certificate.fingerprint256.replaceAll(':', '').toLowerCase()
  let names = ''
  for (const [kind, name] of alternatives(certificate.subjectAltName ?? '')) {
    if (names.length + name.length <= MAX_NAMES) names += `;${kind}=${name}`
  }
  return `Hash=${hash};Subject="${subjectText(certificate.subject)}"${names}`
}

/** Node gives a line per attribute, first to last, escaped as RFC 2253 says but for what is not ASCII. */
function subjectText(subject: string): string {
  const text = subject.split('\n').toReversed().join(',')
  return text.replaceAll(/[^\x20-\x7e]/gu, character => {
    const octets = Buffer.from(character, 'utf8')
    return `\\${octets
      .toString('hex')
      .toUpperCase()
      .replaceAll(/..(?=.)/g, '$&\\')}`
  })
}

/** URIs first, as Envoy has them. */
function alternatives(text: string): [kind: 'URI' | 'DNS', name: string][] {
  const found: [kind: 'URI' | 'DNS', name: string][] = []
  for (const [, kind, value = ''] of text.matchAll(ALTERNATIVE)) {
    if (kind !== 'DNS' && kind !== 'URI') continue
    const name = value.startsWith('"') ? unquoted(value) : value
    if (name === null || !VISIBLE.test(name)) continue
    found.push([kind, NEEDS_QUOTES.test(name) ? `"${name.replaceAll(/["\\]/g, '\\$&')}"` : name])
  }
  return found.toSorted(([left], [right]) => (left === right ? 0 : left === 'URI' ? -1 : 1))
}

function unquoted(value: string): string | null {
  try {
    const text: unknown = JSON.parse(value)
    return typeof text === 'string' ? text : null
  } catch {
    return null
  }
}
