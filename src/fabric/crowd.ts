import type { Draft } from './draft.ts'
import type { InstanceRecord } from './state.ts'

/**
 * Who is where, counted: of all roles on each node, and of one role on each node and in each domain. Counted once for many
 * placements in a row: asking all instances again for each new one makes a large deployment cost the square of its size.
 */
export class Crowd {
  readonly #load = new Map<string, number>()
  readonly #here = new Map<string, number>()
  readonly #sameDomain = new Map<string, number>()
  readonly #faults = new Map<number, number>()
  readonly #domains = new Map<number, number>()

  /** `placed`: the role's instances that have their place. */
  constructor(draft: Draft, placed: readonly Readonly<InstanceRecord>[]) {
    for (const { instances } of draft.roles.values()) for (const { node } of instances) count(this.#load, node)
    for (const instance of placed) this.#count(instance)
  }

  /** One more instance of the role has its place. */
  add(instance: Readonly<InstanceRecord>): void {
    count(this.#load, instance.node)
    this.#count(instance)
  }

  #count({ node, upgradeDomain, faultDomain }: Readonly<InstanceRecord>): void {
    count(this.#here, node)
    count(this.#sameDomain, `${upgradeDomain} ${node}`)
    count(this.#faults, faultDomain)
    count(this.#domains, upgradeDomain)
  }

  /** Instances of any role on a node. */
  load(node: string): number {
    return this.#load.get(node) ?? 0
  }

  /** Instances of the role on a node; in one upgrade domain, where that is given. */
  on(node: string, upgradeDomain?: number): number {
    const found = upgradeDomain === undefined ? this.#here.get(node) : this.#sameDomain.get(`${upgradeDomain} ${node}`)
    return found ?? 0
  }

  inFaultDomain(domain: number): number {
    return this.#faults.get(domain) ?? 0
  }

  inUpgradeDomain(domain: number): number {
    return this.#domains.get(domain) ?? 0
  }
}

function count<T>(counts: Map<T, number>, value: T): void {
  counts.set(value, (counts.get(value) ?? 0) + 1)
}
