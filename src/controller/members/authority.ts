import { createPrivateKey, randomBytes, webcrypto, X509Certificate } from 'node:crypto'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { writeFileAtomic } from '../../core/atomic-file.ts'
import { VipswapError } from '../../core/errors.ts'
import { CONTROLLER_URI } from '../../core/member/identity.ts'
import { newKey } from '../../core/member/enrol.ts'
import { readPrivateFile } from '../../core/private-file.ts'

/** The controller's own authority: it signs the controller and its members, and nothing else. */
export interface Authority {
  readonly certificate: X509Certificate
  /** PEM. */
  readonly pem: string
  /** A certificate of a member for its public key (SPKI PEM; P-256), valid for `lifeMs`. Throws `invalid_request`. */
  issue(publicKey: string, subject: { name: string; uri: string }, lifeMs: number): Promise<X509Certificate>
  /** A fresh key and certificate of the controller itself; the chain has the authority in it, for newcomers. */
  issueOwn(lifeMs: number): Promise<{ cert: string; key: string }>
}

const EC = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const FILE = 'authority.json'
const AUTHORITY_LIFE_MS = 20 * 365 * 86_400_000
/** Clocks of two machines differ. */
const MAX_BACKDATE_MS = 5 * 60_000

/** The authority kept in a folder, mode 0700; made at the first time. Throws `usage` where others may read it. */
export async function openAuthority(folder: string): Promise<Authority> {
  // Loaded for those alone who have members elsewhere; it decorates its classes and wants the first before it.
  await import('reflect-metadata')
  const x509 = await import('@peculiar/x509')
  const { subtle } = webcrypto
  const path = join(folder, FILE)
  if (!existsSync(path)) {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    writeFileAtomic(path, JSON.stringify(await create()))
  }
  // Written above alone, whole.
  const { cert, key } = JSON.parse(readPrivateFile(path, "the controller's authority")) as { cert: string; key: string }
  const certificate = new X509Certificate(cert)
  const secret = createPrivateKey(key).export({ type: 'pkcs8', format: 'der' })
  const signingKey = await subtle.importKey('pkcs8', secret, EC, false, ['sign'])

  async function create(): Promise<{ cert: string; key: string }> {
    const keys = await subtle.generateKey(EC, true, ['sign', 'verify'])
    const now = Date.now()
    const made = await x509.X509CertificateGenerator.createSelfSigned({
      serialNumber: newSerial(),
      name: [{ CN: [`vipswap ${randomBytes(4).toString('hex')}`] }],
      notBefore: new Date(now - MAX_BACKDATE_MS),
      notAfter: new Date(now + AUTHORITY_LIFE_MS),
      keys,
      signingAlgorithm: EC,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
      ],
    })
    const pkcs8 = Buffer.from(await subtle.exportKey('pkcs8', keys.privateKey))
    const pem = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' }).export({ type: 'pkcs8', format: 'pem' })
    return { cert: `${made.toString('pem')}\n`, key: pem.toString() }
  }

  async function sign(
    publicKey: string,
    subject: { name: string; uri: string },
    lifeMs: number,
    usage: string,
  ): Promise<X509Certificate> {
    const now = Date.now()
    const made = await x509.X509CertificateGenerator.create({
      serialNumber: newSerial(),
      subject: [{ CN: [subject.name] }],
      issuer: new x509.X509Certificate(cert).subject,
      notBefore: new Date(now - Math.min(lifeMs, MAX_BACKDATE_MS)),
      notAfter: new Date(now + lifeMs),
      publicKey: await importPublic(publicKey),
      signingKey,
      signingAlgorithm: EC,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([usage]),
        new x509.SubjectAlternativeNameExtension([{ type: 'url', value: subject.uri }]),
      ],
    })
    return new X509Certificate(made.toString('pem'))
  }

  async function importPublic(pem: string): Promise<webcrypto.CryptoKey> {
    try {
      const der = Buffer.from(pem.replaceAll(/-----[A-Z ]+-----|\s/g, ''), 'base64')
      return await subtle.importKey('spki', der, EC, true, ['verify'])
    } catch {
      throw new VipswapError('invalid_request', 'publicKey is not the public key of the curve P-256, as SPKI PEM')
    }
  }

  return {
    certificate,
    pem: cert,
    issue: async (publicKey, subject, lifeMs) => sign(publicKey, subject, lifeMs, x509.ExtendedKeyUsage.clientAuth),
    async issueOwn(lifeMs) {
      const { key: own, publicKey } = newKey()
      const leaf = await sign(
        publicKey,
        { name: 'controller', uri: CONTROLLER_URI },
        lifeMs,
        x509.ExtendedKeyUsage.serverAuth,
      )
      return { cert: leaf.toString() + cert, key: own }
    },
  }
}

function newSerial(): string {
  return `01${randomBytes(15).toString('hex')}`
}
