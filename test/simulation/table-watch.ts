import type { RoutingTable } from '../../src/contracts/routing.ts'
import type { FabricState, ServiceRecord } from '../../src/fabric/state.ts'
import type { World } from './world.ts'

/** What must hold of slots, addresses and what they show, at every commit. */
export class TableWatch {
  readonly #world: World

  constructor(world: World) {
    this.#world = world
  }

  committed(before: FabricState, state: FabricState, table: RoutingTable): void {
    this.#listeners(state, table)
    this.#certificates(table)
    for (const service of Object.values(state.services)) this.#slots(before.services[service.name], service)
    if (before.roles === state.roles) return
    for (const role of Object.values(state.roles)) {
      const used = role.instances.flatMap(instance => [instance.spec, instance.nextSpec ?? instance.spec])
      for (const id of [role.target, ...used]) {
        if (role.specs[id] === undefined)
          this.#world.fail('specs kept', `role ${role.deployment}/${role.name} lost spec ${id}`)
      }
    }
  }

  /** Each slot's addresses lead to exactly the deployment in it. */
  #listeners(state: FabricState, table: RoutingTable): void {
    for (const { key, service, slot, pool } of table.listeners) {
      if (pool === null) continue
      const found = table.pools[pool]
      if (found === undefined) this.#world.fail('address of its slot', `listener ${key} has no pool ${pool}`)
      if (slot !== null && found.deployment !== state.services[service]?.slots[slot]) {
        this.#world.fail('address of its slot', `listener ${key} leads to ${found.deployment}`)
      }
    }
  }

  #slots(before: ServiceRecord | undefined, { name, prepared, slots }: ServiceRecord): void {
    if (prepared !== null && (prepared.production !== slots.production || prepared.staging !== slots.staging)) {
      this.#world.fail('prepared swap holds', `service ${name} has changed under its prepared swap`)
    }
    if (before === undefined) return
    const was = before.slots
    const crossed = was.production !== null && slots.staging === was.production
    const back = was.staging !== null && slots.production === was.staging
    if (crossed !== back && was.production !== null && was.staging !== null && was.production !== was.staging)
      this.#world.fail('swap moves all', `service ${name}: only one of two deployments has changed its slot`)
    if (slots.production !== null && slots.production === slots.staging)
      this.#world.fail('swap moves all', `service ${name} has ${slots.production} in both slots`)
  }

  /** Every https address has something to show, and a table holds no key that nothing shows. */
  #certificates(table: RoutingTable): void {
    const shown = new Set<string>()
    for (const { key, protocol, tls } of table.listeners) {
      if ((protocol === 'https') !== (tls !== null))
        this.#world.fail('certificates shown', `listener ${key} is ${protocol} and has tls ${tls !== null}`)
      if (tls?.certificates.length === 0) this.#world.fail('certificates shown', `listener ${key} has no certificate`)
      for (const id of tls?.certificates ?? []) {
        shown.add(id)
        if (table.certificates[id] === undefined)
          this.#world.fail('certificates shown', `listener ${key} shows ${id}, which is not in the table`)
      }
    }
    for (const id of Object.keys(table.certificates))
      if (!shown.has(id)) this.#world.fail('certificates shown', `nothing shows certificate ${id}`)
  }
}
