import { floorCount } from '../model/order.ts'
import { specOf } from './instances.ts'
import { comesBeside } from './beside.ts'
import { processesOf, type InstanceRecord, type RoleRecord } from './state.ts'

/**
 * Why these instances may not go down together now: the first role whose capacity floor would not hold with them gone; null
 * if they may. `to` names the spec an instance is to go to, null for one that stays. `laidOut`: also keep what the domain
 * layout implies where a role sets no floor of its own.
 */
export function mayGo(
  roles: readonly Readonly<RoleRecord>[],
  to: (instance: Readonly<InstanceRecord>, role: Readonly<RoleRecord>) => string | null,
  laidOut = true,
): string | null {
  for (const role of roles) {
    const going = role.instances.filter(instance => {
      const spec = to(instance, role)
      // What starts beside itself takes nothing away, and what does not serve has nothing to give.
      return spec !== null && inRotation(instance) && !comesBeside(role, instance, spec)
    })
    if (going.length === 0) continue
    const ready = role.instances.filter(inRotation).length - going.length
    const floor = floorOf(role, going, laidOut)
    if (ready < floor) {
      return `role ${role.name} would have ${ready} of ${role.instances.length} instances ready, and its capacity floor is ${floor}`
    }
  }
  return null
}

/** Some process of it is chosen for requests; a worker counts while it is ready. */
export function inRotation(instance: Readonly<InstanceRecord>): boolean {
  return processesOf(instance).some(({ stage, published }) => stage === 'serving' && published?.membership === 'in')
}

function floorOf(role: Readonly<RoleRecord>, going: readonly Readonly<InstanceRecord>[], laidOut: boolean): number {
  const { capacityFloor = null } = specOf(role, role.target).definition
  if (capacityFloor !== null) return floorCount(capacityFloor, role.instances.length)
  if (!laidOut) return 0
  // All other domains up. What cannot start, or is kept aside, is none of our doing; but the last that serves must not go.
  const domains = new Set(going.map(instance => instance.upgradeDomain))
  const others = role.instances.filter(instance => !domains.has(instance.upgradeDomain))
  if (others.length === 0) return 0
  return Math.max(1, others.filter(isDue).length)
}

/** Should serve: neither broken, nor kept aside, nor not begun with, nor on its way out. */
function isDue({ hopeless, drained, stage, next }: Readonly<InstanceRecord>): boolean {
  if (hopeless || drained !== undefined || stage === 'planned' || stage === 'stopped') return false
  return next === null || next === 'restart'
}
