import { X509Certificate } from 'node:crypto'
import { constants } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext, type SecureContextOptions } from 'node:tls'
import { VipswapError, errorMessage, systemCode } from '../../core/errors.ts'
import { readPrivateFile } from '../../core/private-file.ts'
import { readCertificate } from '../../model/read-certificate.ts'

/** Where the certificates of the admin address are. */
export interface TlsFiles {
  /** Its chain, PEM. */
  readonly cert: string
  /** The key of it, PEM, of mode 0600; it may be the same file. */
  readonly key: string
  /** Authorities whose certificates callers may show; null: none is asked for. */
  readonly clientCa: string | null
}

export interface TlsMaterial {
  readonly context: SecureContextOptions
  /** DNS names of the certificate: `Host` may be any of them. */
  readonly names: readonly string[]
}

export function pathsOf({ cert, key, clientCa }: TlsFiles): string[] {
  return [cert, key, ...(clientCa === null ? [] : [clientCa])]
}

/** Throws `usage` for what cannot be read or used, and for a key that others may read. */
export function readTls({ cert, key, clientCa }: TlsFiles): TlsMaterial {
  const secret = readPrivateFile(key, 'the private key')
  const chain = cert === key ? '' : readText(cert, 'the certificate')
  const read = readCertificate(chain + secret)
  if ('fault' in read) throw new VipswapError('usage', `the certificate ${cert} ${read.fault}`)
  const authorities = clientCa === null ? null : readText(clientCa, "the clients' authority")
  const context: SecureContextOptions = {
    cert: read.certificate.chain,
    key: read.certificate.key,
    minVersion: 'TLSv1.2',
    // A resumed session would let in who was let in before, by authorities that are replaced since.
    secureOptions: constants.SSL_OP_NO_TICKET,
    ...(authorities === null ? {} : { ca: authorities }),
  }
  try {
    if (authorities !== null) checkAuthorities(authorities)
    createSecureContext(context)
  } catch (error) {
    throw new VipswapError('usage', `the clients' authority ${clientCa ?? ''} cannot be used: ${errorMessage(error)}`)
  }
  return { context, names: namesOf(new X509Certificate(read.certificate.chain)) }
}

function checkAuthorities(pem: string): void {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? []
  if (blocks.length === 0) throw new Error('it holds no certificate')
  for (const block of blocks) if (!new X509Certificate(block).ca) throw new Error('one of it is no authority')
}

function namesOf({ subjectAltName = '' }: X509Certificate): string[] {
  return subjectAltName
    .split(', ')
    .flatMap(each => (each.startsWith('DNS:') ? [each.slice('DNS:'.length).toLowerCase()] : []))
}

function readText(path: string, what: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new VipswapError('usage', `${what} ${path} cannot be read (${systemCode(error) ?? 'unknown'})`)
  }
}
