import { X509Certificate } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join as joinPath } from 'node:path'
import { parseAddress, type Address } from '../address.ts'
import { writeFileAtomic } from '../atomic-file.ts'
import { VipswapError, errorMessage } from '../errors.ts'
import type { Logger } from '../logger.ts'
import { readPrivateFile } from '../private-file.ts'
import type { ControllerRoad, Credentials } from './controller-road.ts'
import { join, renew } from './enrol.ts'
import { memberOf, uriOf, type MemberIdentity } from './identity.ts'
import { digestOfSecret, parseJoinToken } from './join-token.ts'

export interface MembershipOptions {
  /** `https://HOST:PORT` of the controller's `--links`. */
  readonly controller: string
  /** Needed the first time, and unused afterwards. Itself, or `@FILE`; default `$VIPSWAP_JOIN`. */
  readonly token: string | undefined
  readonly identity: MemberIdentity
  /** Where the key and certificates are kept; mode 0700. */
  readonly folder: string
  readonly log: Logger
  /** There is a new certificate: connections that show the old one end with it. */
  readonly onRenewed?: () => void
}

export interface Membership {
  readonly road: ControllerRoad
  close(): void
}

/** A certificate is renewed when a third of its life is left. */
const RENEW_AT = 2 / 3
const MAX_WAIT_MS = 24 * 3_600_000
const RETRY_MS = 60_000
/** The digest of the token that was used, beside what it gave. */
type Kept = Credentials & { readonly joinedWith: string }

/** One file, because a key without its certificate is of no use. */
const FILE = 'member.json'

/**
 * Opens the road to a controller on another machine: with the certificate kept in `folder`, else by joining with the
 * token. Renews it before it ends. Throws `usage`, `forbidden` and `unreachable`.
 */
export async function openMembership(options: MembershipOptions): Promise<Membership> {
  const { controller, token, identity, folder, log, onRenewed } = options
  const address = addressOf(controller)
  const path = joinPath(folder, FILE)
  const kept = load(path, identity)
  const text = joinTokenFrom(token)
  const given = text === undefined ? null : parseJoinToken(text)
  // Whoever starts it once more with the same words does not mean to join again; another token is one to join with.
  const isNew = given !== null && digestOfSecret(given.secret) !== kept?.joinedWith
  let held: Kept
  if (kept !== null && !isNew) {
    held = kept
    // What is served here is served on, whatever the controller thinks of it.
    if (hasEnded(kept)) log.error('its certificate has ended, the controller will not take it: give a new --join TOKEN')
  } else {
    if (given === null) throw missing(identity)
    held = { ...(await join(address, given, identity)), joinedWith: digestOfSecret(given.secret) }
    save(folder, held)
    log.info({ member: uriOf(identity) }, 'joined the controller')
  }
  let timer: NodeJS.Timeout | undefined
  let closed = false
  const renewal = async (): Promise<void> => {
    try {
      // Another process of this member may have been first: two of a proxy run while one replaces the other.
      const onDisk = load(path, identity)
      if (onDisk !== null && onDisk.cert !== held.cert) {
        held = onDisk
        plan()
        return
      }
      held = { ...(await renew(address, held)), joinedWith: held.joinedWith }
      save(folder, held)
      log.info({ until: new X509Certificate(held.cert).validTo }, 'the certificate is renewed')
      onRenewed?.()
      plan()
    } catch (error) {
      log.warn({ error: errorMessage(error) }, 'the certificate could not be renewed; trying again')
      plan(Math.min(RETRY_MS, lifeOf(held) / 20))
    }
  }
  const plan = (waitMs?: number): void => {
    if (closed) return
    const { validFrom } = new X509Certificate(held.cert)
    const due = Math.max(0, Date.parse(validFrom) + lifeOf(held) * RENEW_AT - Date.now())
    // A timer of many days is cut short, and then looks again.
    const ms = waitMs ?? due
    timer = setTimeout(() => void (ms > MAX_WAIT_MS ? plan() : renewal()), Math.min(ms, MAX_WAIT_MS))
    timer.unref()
  }
  plan()
  return {
    road: { kind: 'tls', address, credentials: () => held },
    close() {
      closed = true
      clearTimeout(timer)
    },
  }
}

function addressOf(text: string): Address {
  if (!text.startsWith('https://'))
    throw new VipswapError('usage', `--controller takes https://HOST:PORT, not "${text}"`)
  return parseAddress(text)
}

function load(path: string, identity: MemberIdentity): Kept | null {
  if (!existsSync(path)) return null
  // Written by `save` alone, whole.
  const credentials = JSON.parse(readPrivateFile(path, 'the membership file')) as Kept
  const known = memberOf(new X509Certificate(credentials.cert))
  if (known === null || uriOf(known) !== uriOf(identity))
    throw new VipswapError('usage', `${path} is of another member than ${uriOf(identity)}; remove it to join anew`)
  return credentials
}

function save(folder: string, credentials: Kept): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  writeFileAtomic(joinPath(folder, FILE), JSON.stringify(credentials))
}

function hasEnded({ cert }: Credentials): boolean {
  return Date.parse(new X509Certificate(cert).validTo) <= Date.now()
}

function lifeOf({ cert }: Credentials): number {
  const { validFrom, validTo } = new X509Certificate(cert)
  return Date.parse(validTo) - Date.parse(validFrom)
}

function missing({ kind }: MemberIdentity): VipswapError {
  const how = `give --join TOKEN, made by "vipswap member token ${kind}"`
  return new VipswapError('usage', `it has no certificate of this controller yet: ${how}`)
}

/** A join token as it was given: itself, `@FILE` that holds it, so that no process list shows it, or of the environment. */
function joinTokenFrom(given: string | undefined): string | undefined {
  if (given?.startsWith('@') !== true) return given ?? process.env['VIPSWAP_JOIN']
  try {
    return readFileSync(given.slice(1), 'utf8').trim()
  } catch (error) {
    throw new VipswapError('usage', `--join ${given}: ${errorMessage(error)}`)
  }
}
