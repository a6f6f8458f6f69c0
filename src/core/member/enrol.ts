import { generateKeyPairSync, sign, X509Certificate } from 'node:crypto'
import { request } from 'node:https'
import { connect, type DetailedPeerCertificate } from 'node:tls'
import type { Address } from '../address.ts'
import { VipswapError, errorMessage } from '../errors.ts'
import { secureOptions, type Credentials } from './controller-road.ts'
import { isController, type MemberIdentity } from './identity.ts'
import { digestOfCertificate, joinProof, type JoinToken } from './join-token.ts'

const TIMEOUT_MS = 10_000
const MAX_ANSWER_BYTES = 64 * 1024

/** A new private key, PKCS#8 PEM, and its public half, SPKI PEM. */
export function newKey(): { key: string; publicKey: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  }
}

/**
 * Gets a first certificate for a token that is used up by it. Throws `forbidden` where the controller is not the one the
 * token is of, or refuses it, and `unreachable`.
 */
export async function join(address: Address, token: JoinToken, identity: MemberIdentity): Promise<Credentials> {
  const ca = await authorityOf(address, token.authorityDigest)
  const { key, publicKey } = newKey()
  const { kind, name } = identity
  const proof = sign('sha256', joinProof(token.secret, kind, name), key).toString('base64')
  const cert = await post(address, '/join', { ca }, { secret: token.secret, kind, name, publicKey, proof })
  return { ca, cert, key }
}

/** A certificate for a new key, in place of one that still holds. */
export async function renew(address: Address, old: Credentials): Promise<Credentials> {
  const { key, publicKey } = newKey()
  const cert = await post(address, '/renew', old, { publicKey })
  return { ca: old.ca, cert, key }
}

/** The authority with that digest out of what the controller shows, if that is the controller. */
async function authorityOf({ host, port }: Address, digest: string): Promise<string> {
  // Nothing is sent, nor taken for true, before the digest and both signatures are right.
  const socket = connect({ host, port, rejectUnauthorized: false, minVersion: 'TLSv1.3', timeout: TIMEOUT_MS })
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve)
      socket.once('timeout', () => reject(new Error('it does not answer')))
      socket.once('error', reject)
      socket.once('close', () => reject(new Error('it hung up')))
    }).catch((error: unknown) => {
      throw unreachable({ host, port }, error)
    })
    const chain = chainOf(socket.getPeerCertificate(true))
    const [leaf] = chain
    const authority = chain.find(each => digestOfCertificate(each) === digest)
    if (leaf === undefined || authority === undefined || !isController(leaf) || !leaf.verify(authority.publicKey))
      throw new VipswapError('forbidden', `${host}:${port} is not the controller that made this join token`)
    return authority.toString()
  } finally {
    socket.destroy()
  }
}

function chainOf(first: DetailedPeerCertificate): X509Certificate[] {
  const chain: X509Certificate[] = []
  for (let each: DetailedPeerCertificate | undefined = first; each?.raw !== undefined; each = each.issuerCertificate) {
    chain.push(new X509Certificate(each.raw))
    if (each.issuerCertificate === each) break
  }
  return chain
}

async function post(address: Address, path: string, show: Partial<Credentials>, body: object): Promise<string> {
  const { status, text } = await new Promise<{ status: number; text: string }>((resolve, reject) => {
    const asked = request({
      ...address,
      path,
      method: 'POST',
      agent: false,
      timeout: TIMEOUT_MS,
      headers: { 'content-type': 'application/json' },
      ...secureOptions(show),
    })
    asked.on('timeout', () => asked.destroy(new Error('it does not answer')))
    asked.on('error', reject)
    asked.on('response', response => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (piece: string) => {
        text += piece
        if (text.length > MAX_ANSWER_BYTES) asked.destroy(new Error('its answer is too long'))
      })
      response.on('error', reject)
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
    })
    asked.end(JSON.stringify(body))
  }).catch((error: unknown) => {
    throw unreachable(address, error)
  })
  const { certificate, detail } = parsed(text)
  if (status === 200 && typeof certificate === 'string') return certificate
  const why = typeof detail === 'string' ? detail : `it answered ${status}`
  if (status >= 400 && status < 500) throw new VipswapError('forbidden', `the controller refuses: ${why}`)
  throw unreachable(address, why)
}

function parsed(text: string): { certificate?: unknown; detail?: unknown } {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : {}
  } catch {
    return {}
  }
}

function unreachable({ host, port }: Address, why: unknown): VipswapError {
  return new VipswapError('unreachable', `the controller at ${host}:${port} does not answer: ${errorMessage(why)}`)
}
