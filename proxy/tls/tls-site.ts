import { createHash } from 'node:crypto'
import type { Listener, TlsCertificate } from '../../src/contracts/routing.ts'

/** What a connection's first message decides: whose it is, and what it is shown. */
export interface TlsChoice {
  readonly listener: Listener
  readonly certificate: TlsCertificate
  /** Names what client certificates are asked for, '' for none: a request may pass only where this is the same. */
  readonly authScope: string
  /** Sessions are resumed only within this. 32 characters, what OpenSSL allows. */
  readonly sessionScope: string
}

interface Own {
  readonly listener: Listener
  readonly authScope: string
  readonly first: TlsChoice
  readonly byName: ReadonlyMap<string, TlsChoice>
}

/** The https listeners of one address under one table: who is shown which certificate. */
export class TlsSite {
  readonly #own: readonly Own[]
  readonly #byHost = new Map<string, Own>()

  constructor(listeners: readonly Listener[], certificates: Readonly<Record<string, TlsCertificate>>) {
    this.#own = listeners.flatMap(listener => ownOf(listener, certificates) ?? [])
    for (const own of this.#own) {
      for (const name of own.listener.hostNames) {
        const lower = name.toLowerCase()
        if (!this.#byHost.has(lower)) this.#byHost.set(lower, own)
      }
    }
  }

  /**
   * The listener that has `name` as its host name, and of its certificates the one for that name. Where no listener has it:
   * the first that has a certificate for it, by name before wildcard; else the first listener's first. Null: there is none.
   */
  choose(name: string | null): TlsChoice | null {
    const [first] = this.#own
    if (first === undefined || name === null) return first?.first ?? null
    const owner = this.#byHost.get(name)
    const among = owner === undefined ? this.#own : [owner]
    for (const known of [name, wildcardOf(name)]) {
      for (const { byName } of among) {
        const choice = byName.get(known)
        if (choice !== undefined) return choice
      }
    }
    return (owner ?? first).first
  }

  /**
   * May a request for `hostName`, which is `listener`'s, not be served on a connection that was made by asking for
   * `serverName` under `authScope`? Client authentication and certificate must be those the client would meet there.
   */
  misdirects(listener: Listener, hostName: string, serverName: string | null, authScope: string): boolean {
    const own = this.#own.find(one => one.listener === listener)
    if (own === undefined || own.authScope !== authScope) return true
    const shown = this.choose(serverName)
    return shown?.listener !== listener && shown?.certificate.id !== this.choose(hostName)?.certificate.id
  }

  /** Every choice there is. */
  *choices(): Iterable<TlsChoice> {
    for (const { first, byName } of this.#own) {
      yield first
      yield* byName.values()
    }
  }
}

/** `a.example.org` → `*.example.org`: a wildcard stands for one label. */
function wildcardOf(name: string): string {
  return `*${name.slice(name.indexOf('.'))}`
}

function ownOf(listener: Listener, certificates: Readonly<Record<string, TlsCertificate>>): Own | null {
  const { tls } = listener
  if (tls === null) return null
  const { clientAuth } = tls
  const authScope =
    clientAuth === null ? '' : digest(`${clientAuth.required ? 'required' : 'optional'}\n${clientAuth.ca}`)
  const sessionScope = digest(`${listener.key}\n${authScope}`)
  const byName = new Map<string, TlsChoice>()
  let first: TlsChoice | null = null
  for (const id of tls.certificates) {
    const certificate = certificates[id]
    if (certificate === undefined) continue
    const choice = { listener, certificate, authScope, sessionScope }
    first ??= choice
    for (const name of certificate.names) if (!byName.has(name)) byName.set(name, choice)
  }
  return first === null ? null : { listener, authScope, first, byName }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32)
}
