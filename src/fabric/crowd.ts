import type { Draft } from './draft.ts'
import { addToNeeds, needsOf, type Need, type Needs } from './room.ts'
import type { InstanceRecord, RoleRecord } from './state.ts'

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
  readonly #draft: Draft
  /** What nodes must have for all that is there; counted once it is asked for. */
  #needs: Map<string, Need> | null = null

  /** `placed`: the role's instances that have their place. */
  constructor(draft: Draft, placed: readonly Readonly<InstanceRecord>[]) {
    this.#draft = draft
    for (const { instances } of draft.roles.values()) for (const { node } of instances) count(this.#load, node)
    for (const instance of placed) this.#count(instance)
  }

  /** One more instance of the role, on its target spec, has its place. */
  add(role: Readonly<RoleRecord>, instance: Readonly<InstanceRecord>): void {
    count(this.#load, instance.node)
    if (this.#needs !== null) addToNeeds(this.#draft, this.#needs, role, instance.node)
    this.#count(instance)
  }

  #count({ node, upgradeDomain, faultDomain }: Readonly<InstanceRecord>): void {
    count(this.#here, node)
    count(this.#sameDomain, `${upgradeDomain} ${node}`)
    count(this.#faults, faultDomain)
    count(this.#domains, upgradeDomain)
  }

  get needs(): Needs {
    return (this.#needs ??= needsOf(this.#draft))
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
