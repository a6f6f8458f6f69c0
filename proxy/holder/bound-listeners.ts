import { readFileSync } from 'node:fs'
import { writeFileAtomic } from '../../src/core/atomic-file.ts'
import type { ListenerStatus } from '../../src/contracts/link.ts'
import type { Listener, RoutingTable } from '../../src/contracts/routing.ts'
import { addressOf } from '../routing/snapshot.ts'
import { bindErrorText, bindFailure, bindTcp, type BoundHandle } from './bind.ts'
import { CertificateFaults } from './certificate-faults.ts'
import type { RetriedWrites } from './retried-writes.ts'

const RETRY_MS = 1000

interface Place {
  readonly host: string
  readonly port: number
  readonly lastPort: number | null
  readonly keys: string[]
  /** Why not all of `keys` can share the address, or null. */
  readonly clash: string | null
  bound: BoundHandle | null
  error: string | null
}

/** The addresses of the current table and their bound sockets. An address that stays in the table is never bound again. */
export class BoundListeners {
  readonly #places = new Map<string, Place>()
  readonly #portsPath: string
  readonly #ports: Record<string, number>
  readonly #writes: RetriedWrites
  readonly #onChange: (opened: string) => void
  readonly #retry: NodeJS.Timeout
  readonly #certificates = new CertificateFaults()
  #retrying = false
  #closed = false
  readonly #inherited: Map<string, BoundHandle>

  /**
   * `portsPath` keeps the ports that were found for port 0; `onChange`: a bind that had failed has succeeded now.
   * `inherited`: sockets that a predecessor bound, by address.
   */
  constructor(
    portsPath: string,
    writes: RetriedWrites,
    onChange: (opened: string) => void,
    inherited: ReadonlyMap<string, BoundHandle> = new Map(),
  ) {
    this.#inherited = new Map(inherited)
    this.#writes = writes
    this.#portsPath = portsPath
    this.#ports = readPorts(portsPath)
    this.#onChange = onChange
    this.#retry = setInterval(() => void this.#retryFailed(), RETRY_MS)
  }

  /** Binds what is new and closes what is gone. */
  async follow(table: RoutingTable): Promise<void> {
    if (this.#closed) return
    this.#certificates.follow(table)
    const wanted = new Map<string, Listener[]>()
    for (const listener of table.listeners) {
      const address = addressOf(listener)
      wanted.set(address, [...(wanted.get(address) ?? []), listener])
    }
    for (const [address, place] of this.#places) {
      if (wanted.has(address)) continue
      this.#places.delete(address)
      place.bound?.close()
    }
    for (const [address, listeners] of wanted) {
      const [first] = listeners
      if (first === undefined) continue
      const known = this.#places.get(address)
      const clash =
        listeners.length > 1 && listeners.some(one => one.protocol === 'tcp' || one.protocol !== first.protocol)
          ? `EADDRINUSE: ${first.host}:${first.port} belongs to ${first.key}`
          : null
      const keys = listeners.map(listener => listener.key)
      const { host, port, lastPort = null } = first
      const place: Place = {
        host,
        port,
        lastPort,
        keys,
        clash,
        bound: known?.bound ?? null,
        error: known?.error ?? null,
      }
      this.#places.set(address, place)
      if (known === undefined) await this.#bind(address, place)
      // Meanwhile, where a name had to be looked up.
      if (this.#closed) return
    }
    // Of addresses that went before they were known here.
    for (const bound of this.#inherited.values()) bound.close()
    this.#inherited.clear()
  }

  /** Every bound address with what a worker needs to listen on it. */
  *handles(): Iterable<[address: string, handle: unknown]> {
    for (const [address, { handle }] of this.bound()) yield [address, handle]
  }

  *bound(): Iterable<[address: string, bound: BoundHandle]> {
    for (const [address, { bound }] of this.#places) if (bound !== null) yield [address, bound]
  }

  handle(address: string): unknown {
    return this.#places.get(address)?.bound?.handle ?? null
  }

  /** A worker could not listen on what was bound: somebody else listens there. */
  listenFailed(address: string, code: string): void {
    const place = this.#places.get(address)
    if (place === undefined) return
    place.error = bindErrorText(code, place.host, place.bound?.port ?? place.port)
    place.bound?.close()
    place.bound = null
  }

  status(): ListenerStatus[] {
    const statuses: ListenerStatus[] = []
    for (const place of this.#places.values()) {
      for (const [index, key] of place.keys.entries()) {
        const error = place.error ?? (index === 0 ? null : place.clash) ?? this.#certificates.of(key)
        statuses.push({ key, port: error === null ? (place.bound?.port ?? null) : null, error })
      }
    }
    return statuses
  }

  /** For good: what comes after binds nothing. */
  close(): void {
    this.#closed = true
    clearInterval(this.#retry)
    for (const place of this.#places.values()) place.bound?.close()
    this.#places.clear()
    for (const bound of this.#inherited.values()) bound.close()
    this.#inherited.clear()
  }

  async #bind(address: string, place: Place): Promise<boolean> {
    const inherited = this.#inherited.get(address)
    if (inherited !== undefined) {
      this.#inherited.delete(address)
      place.bound = inherited
      return true
    }
    const port = place.port === 0 ? (this.#ports[address] ?? place.lastPort ?? 0) : place.port
    try {
      const bound = await bindTcp(place.host, port)
      if (this.#places.get(address) !== place) {
        bound.close()
        return false
      }
      place.bound = bound
      place.error = null
      if (place.port === 0 && bound.port !== port) {
        this.#ports[address] = bound.port
        this.#writes.attempt('ports.json', () => writeFileAtomic(this.#portsPath, JSON.stringify(this.#ports)))
      }
      return true
    } catch (error) {
      place.error = bindFailure(error, place.host, port)
      return false
    }
  }

  async #retryFailed(): Promise<void> {
    if (this.#retrying) return
    this.#retrying = true
    for (const [address, place] of Array.from(this.#places)) {
      if (place.bound === null && (await this.#bind(address, place))) this.#onChange(address)
    }
    this.#retrying = false
  }
}

function readPorts(path: string): Record<string, number> {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'))
    // Written by this class alone.
    return typeof value === 'object' && value !== null ? (value as Record<string, number>) : {}
  } catch {
    return {}
  }
}
