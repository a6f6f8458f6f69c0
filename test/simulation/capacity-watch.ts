import { processesOf, type FabricState, type InstanceRecord, type RoleRecord } from '../../src/fabric/state.ts'
import { instanceKey } from '../../src/fabric/keys.ts'
import { leaves } from '../../src/fabric/upgrade/roles.ts'
import { floorCount } from '../../src/model/order.ts'
import type { World } from './world.ts'

/** No walk, and no node that is emptied, takes a role below the floor that it sets itself. */
export class CapacityWatch {
  readonly #world: World

  constructor(world: World) {
    this.#world = world
  }

  committed(before: FabricState, after: FabricState): void {
    if (before.roles === after.roles) return
    for (const [key, role] of Object.entries(after.roles)) {
      const old = before.roles[key]
      if (old === undefined || old === role) continue
      const floor = role.specs[role.target]?.definition.capacityFloor ?? null
      if (floor === null || this.#isWaived(before, after, role)) continue
      const went = this.#taken(before, after, old, role)
      if (went.length === 0) continue
      // What an operator scales away in the same commit is not the walk's doing.
      const removed = role.instances.filter(({ id, next }) => next === 'remove' && wasReady(old, id)).length
      const ready = role.instances.filter(serves).length + removed
      const least = floorCount(floor, role.instances.length)
      if (ready < least) {
        const ids = went.map(({ id }) => id).join(', ')
        this.#world.fail('capacity floor', `${ids} of ${key} go down: ${ready} would serve, the floor is ${least}`)
      }
    }
  }

  #isWaived(before: FabricState, state: FabricState, { deployment }: RoleRecord): boolean {
    const record = state.deployments[deployment]
    if (record === undefined || record.state !== 'running') return true
    const { upgrade } = record
    if (upgrade !== null && (upgrade.direction === 'back' || upgrade.mode === 'simultaneous')) return true
    return Object.values(state.operations).some(operation => {
      const { id, status, waived, deployments, node } = operation
      // Forced, it may have ended in this very commit.
      const isNow = status === 'InProgress' || operation !== before.operations[id]
      // That of a node is about whatever is on it.
      return isNow && waived !== undefined && (node !== undefined || deployments.includes(deployment))
    })
  }

  /** Instances that served, and are now on a way down that a walk or an emptied node sent them. */
  #taken(before: FabricState, after: FabricState, old: RoleRecord, role: RoleRecord): InstanceRecord[] {
    const upgrade = after.deployments[role.deployment]?.upgrade ?? null
    const to = upgrade?.roles[role.name]?.to
    return role.instances.filter(instance => {
      const earlier = old.instances.find(({ id }) => id === instance.id)
      if (earlier === undefined || !serves(earlier) || serves(instance) || instance.next !== 'restart') return false
      if (earlier.next === 'restart' || !isSeenReady(after, role, earlier)) return false
      if (upgrade === null) return before.nodes[instance.node]?.draining === true && !asked(after, role, instance)
      return (
        to !== undefined && instance.nextSpec === to && earlier.spec !== to && !leaves(upgrade, role.name, instance)
      )
    })
  }
}

/** Some process of it is chosen for requests. */
function serves(instance: Readonly<InstanceRecord>): boolean {
  return processesOf(instance).some(({ stage, published }) => stage === 'serving' && published?.membership === 'in')
}

/** What has just been seen not to answer has nothing to give. */
function isSeenReady({ observed }: FabricState, { deployment }: RoleRecord, instance: InstanceRecord): boolean {
  return processesOf(instance).some(process => {
    const seen = observed.nodes[process.node]?.instances[instanceKey(deployment, process)]
    return seen?.state === 'ready' && seen.incarnation === process.incarnation
  })
}

function wasReady(role: RoleRecord, id: string): boolean {
  return role.instances.some(instance => instance.id === id && serves(instance))
}

/** An operator asked for this very instance to go down. */
function asked(state: FabricState, { deployment }: RoleRecord, { id }: InstanceRecord): boolean {
  return Object.values(state.operations).some(
    ({ status, instance, deployments }) =>
      status === 'InProgress' && instance === id && deployments.includes(deployment),
  )
}
