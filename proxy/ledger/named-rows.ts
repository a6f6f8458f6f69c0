import type { RoutingTable } from '../../src/contracts/routing.ts'
import { serviceOf, type LedgerRow } from '../../src/model/ledger-row.ts'

/** Which rows a routing table names: those in which something may still be counted. */
export class NamedRows {
  readonly #vips: ReadonlySet<string>
  readonly #services: ReadonlySet<string>
  readonly #versions: ReadonlySet<string>

  constructor(table: Pick<RoutingTable, 'listeners' | 'pools'>) {
    this.#vips = new Set(table.listeners.map(({ key }) => key))
    this.#services = new Set(table.listeners.map(({ key }) => serviceOf(key)))
    this.#versions = new Set(
      Object.values(table.pools).flatMap(({ deployment, targets }) =>
        targets.map(({ version }) => versionKey(deployment, version)),
      ),
    )
  }

  hasVip(vip: string): boolean {
    return this.#vips.has(vip)
  }

  hasService(service: string): boolean {
    return this.#services.has(service)
  }

  hasRow({ vip, deployment, version }: Pick<LedgerRow, 'vip' | 'deployment' | 'version'>): boolean {
    return this.#vips.has(vip) && (deployment === '' || this.#versions.has(versionKey(deployment, version)))
  }
}

function versionKey(deployment: string, version: string): string {
  return `${deployment}\n${version}`
}
