// The library decorates its classes and wants this loaded before it.
import 'reflect-metadata'
import { KeyObject, randomBytes, webcrypto } from 'node:crypto'
import { isIP } from 'node:net'
import * as x509 from '@peculiar/x509'

const DAY_MS = 86_400_000

/** All PEM. */
export interface MadeCertificate {
  /** The certificate, then its intermediates. */
  readonly chain: string
  readonly key: string
  /** What a peer must trust: the authority's certificate; of a self-signed one itself. */
  readonly ca: string
  /** Its serial number, hexadecimal, lower case. */
  readonly serial: string
}

/** Signs certificates; `intermediate` gives one under it, so that chains have more than one link. */
export interface Authority {
  readonly ca: string
  readonly name: string
  /** What a leaf's chain needs beside the leaf; empty for a root. */
  readonly intermediates: string
  readonly keys: webcrypto.CryptoKeyPair
  intermediate(name: string): Promise<Authority>
}

export interface Wanted {
  /** DNS names (`*.example.org` too) and IP addresses; the first is the common name. */
  readonly names: readonly string[]
  /** Valid from an hour ago until so many days from now; negative: expired. Default 30. */
  readonly days?: number
  /** Default: signed by itself. */
  readonly authority?: Authority
  /** Default `server`; `client` for mutual TLS. */
  readonly usage?: 'server' | 'client'
  /** Default `ec` (P-256). */
  readonly algorithm?: 'ec' | 'rsa'
}

const EC = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const RSA = {
  name: 'RSASSA-PKCS1-v1_5',
  modulusLength: 2048,
  publicExponent: new Uint8Array([1, 0, 1]),
  hash: 'SHA-256',
}
const USAGE = { server: x509.ExtendedKeyUsage.serverAuth, client: x509.ExtendedKeyUsage.clientAuth }

/** A certificate that works with `node:tls`, made in a few milliseconds. */
export async function makeCertificate(wanted: Wanted): Promise<MadeCertificate> {
  const { names, days = 30, authority, usage = 'server', algorithm = 'ec' } = wanted
  const keys = await makeKeys(algorithm)
  const alternatives = names.map(value => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value }) as const)
  const leaf = await sign(keys, names[0] ?? 'unnamed', days, authority, [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
    new x509.ExtendedKeyUsageExtension([USAGE[usage]]),
    new x509.SubjectAlternativeNameExtension(alternatives),
  ])
  return {
    chain: leaf + (authority?.intermediates ?? ''),
    key: String(KeyObject.from(keys.privateKey).export({ type: 'pkcs8', format: 'pem' })),
    ca: authority?.ca ?? leaf,
    serial: new x509.X509Certificate(leaf).serialNumber.toLowerCase(),
  }
}

/** A root of its own, valid for a year. */
export async function makeAuthority(name = 'test authority'): Promise<Authority> {
  const keys = await makeKeys('ec')
  const root = await sign(keys, name, 365, undefined, authorityExtensions())
  return authorityFrom(keys, name, root, '')
}

function authorityFrom(keys: webcrypto.CryptoKeyPair, name: string, ca: string, intermediates: string): Authority {
  const authority: Authority = {
    ca,
    name,
    intermediates,
    keys,
    async intermediate(child) {
      const own = await makeKeys('ec')
      const certificate = await sign(own, child, 365, authority, authorityExtensions())
      return authorityFrom(own, child, ca, certificate + intermediates)
    },
  }
  return authority
}

function authorityExtensions(): x509.Extension[] {
  return [
    new x509.BasicConstraintsExtension(true, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign + x509.KeyUsageFlags.cRLSign, true),
  ]
}

async function makeKeys(algorithm: 'ec' | 'rsa'): Promise<webcrypto.CryptoKeyPair> {
  return algorithm === 'ec'
    ? webcrypto.subtle.generateKey(EC, true, ['sign', 'verify'])
    : webcrypto.subtle.generateKey(RSA, true, ['sign', 'verify'])
}

/** PEM with a line end, signed by the authority or by itself. */
async function sign(
  keys: webcrypto.CryptoKeyPair,
  name: string,
  days: number,
  authority: Authority | undefined,
  extensions: x509.Extension[],
): Promise<string> {
  const now = Date.now()
  const notAfter = now + days * DAY_MS
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: `01${randomBytes(8).toString('hex')}`,
    subject: [{ CN: [name] }],
    issuer: [{ CN: [authority?.name ?? name] }],
    notBefore: new Date(Math.min(now - DAY_MS / 24, notAfter - DAY_MS)),
    notAfter: new Date(notAfter),
    publicKey: keys.publicKey,
    signingKey: (authority?.keys ?? keys).privateKey,
    // The signer's key decides; all authorities here have elliptic ones.
    signingAlgorithm: authority === undefined && keys.privateKey.algorithm.name === RSA.name ? RSA : EC,
    extensions,
  })
  return `${certificate.toString('pem')}\n`
}
