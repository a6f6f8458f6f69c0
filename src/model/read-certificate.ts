import { createHash, createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import type { Certificate } from './certificate.ts'

/** A longer file is no certificate; also bounds what a routing table carries. */
const MAX_PEM_BYTES = 64 * 1024

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----/g

/**
 * Reads chain and key out of PEM text, in any order, the host's own certificate before its intermediates. A fault says
 * what is wrong with it and what to do, without ever citing the text. Expiry is not looked at here.
 */
export function readCertificate(pem: string): { certificate: Certificate } | { fault: string } {
  if (pem.length > MAX_PEM_BYTES)
    return { fault: 'is longer than 64 KiB; give the certificate, its intermediates and its key' }
  const blocks = [...pem.matchAll(BLOCK)].map(([text, type = '']) => ({ type, text }))
  const certificates = blocks.filter(({ type }) => type === 'CERTIFICATE' || type === 'X509 CERTIFICATE')
  const keys = blocks.filter(({ type }) => type.endsWith('PRIVATE KEY'))
  const [key, secondKey] = keys
  if (blocks.length === 0) return { fault: 'is not PEM; give the PEM text of a certificate and its private key' }
  if (certificates.length === 0) return { fault: 'holds no certificate; give the certificate beside its key' }
  if (key === undefined) return { fault: 'holds no private key; give it beside the certificate' }
  if (secondKey !== undefined) return { fault: 'holds more than one private key; give the one that belongs to it' }
  if (key.type.startsWith('ENCRYPTED') || key.text.includes('Proc-Type: 4,ENCRYPTED')) {
    return { fault: 'has an encrypted private key; give the key without a passphrase (`openssl pkey` removes it)' }
  }
  const parsed = certificates.map(({ text }) => parseCertificate(text))
  const damaged = parsed.indexOf(null)
  if (damaged >= 0)
    return { fault: `cannot be read: its certificate number ${damaged + 1} is damaged; export it again` }
  const [leaf, ...others] = parsed.filter(one => one !== null)
  const privateKey = parseKey(key.text)
  if (privateKey === null) return { fault: 'has a private key that cannot be read; export it again, as PKCS#8 PEM' }
  if (leaf?.checkPrivateKey(privateKey) !== true) {
    return others.some(one => one.checkPrivateKey(privateKey))
      ? { fault: 'begins with a certificate its key does not belong to; put the one it belongs to first' }
      : { fault: 'has a private key that belongs to another certificate; give the two that belong together' }
  }
  const notAfter = Date.parse(leaf.validTo)
  if (Number.isNaN(notAfter)) return { fault: 'has an end that cannot be read; make it afresh' }
  const chain = certificates.map(({ text }) => `${text}\n`).join('')
  const secret = `${key.text}\n`
  try {
    createSecureContext({ cert: chain, key: secret })
  } catch (error) {
    const why = error instanceof Error && 'reason' in error ? String(error.reason) : 'unknown reason'
    return { fault: `is not taken by TLS (${why}); make one with a key of 2048 bits or more, or an elliptic one` }
  }
  const id = createHash('sha256').update(chain).update(secret).digest('hex')
  return { certificate: { id, chain, key: secret, names: namesOf(leaf), notAfter } }
}

/** The certificates of authorities in PEM text, each one checked. */
export function readAuthority(pem: string): { ca: string } | { fault: string } {
  if (pem.length > MAX_PEM_BYTES)
    return { fault: 'is longer than 64 KiB; give only the authorities that sign your clients' }
  const blocks = [...pem.matchAll(BLOCK)]
  if (blocks.some(([, type = '']) => type.endsWith('PRIVATE KEY'))) {
    return { fault: 'holds a private key; give only the certificates of the authorities' }
  }
  const certificates = blocks.filter(([, type]) => type === 'CERTIFICATE' || type === 'X509 CERTIFICATE')
  if (certificates.length === 0) return { fault: 'holds no certificate; give the PEM of the authorities' }
  const damaged = certificates.findIndex(([text]) => parseCertificate(text) === null)
  if (damaged >= 0)
    return { fault: `cannot be read: its certificate number ${damaged + 1} is damaged; export it again` }
  return { ca: certificates.map(([text]) => `${text}\n`).join('') }
}

function parseCertificate(text: string): X509Certificate | null {
  try {
    return new X509Certificate(text)
  } catch {
    return null
  }
}

function parseKey(text: string): KeyObject | null {
  try {
    return createPrivateKey(text)
  } catch {
    return null
  }
}

/** Of the subject's alternative names; of old certificates without any, the common name. */
function namesOf(certificate: X509Certificate): string[] {
  const alternatives = (certificate.subjectAltName ?? '').split(', ').flatMap(entry => {
    const [, value] = /^(?:DNS|IP Address):(.+)$/.exec(entry) ?? []
    return value === undefined ? [] : [value.toLowerCase()]
  })
  if (alternatives.length > 0) return [...new Set(alternatives)]
  const [, common] = /^CN=(.+)$/m.exec(certificate.subject) ?? []
  return common === undefined ? [] : [common.toLowerCase()]
}
