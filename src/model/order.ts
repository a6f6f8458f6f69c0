import type { CapacityFloor, RoleDefinition } from './definition.ts'

type Role = Pick<RoleDefinition, 'kind' | 'command' | 'localStorage' | 'order' | 'instances'>

/** May two processes of one instance of this role run at a time? Workers would work twice, local storage cannot be in two. */
export function canStandBeside({ kind, command, localStorage }: Omit<Role, 'order' | 'instances'>): boolean {
  return kind === 'web' && command !== null && localStorage.length === 0
}

/** Does an instance of this role start beside itself? By itself only where it is alone, else where the role asks for it. */
export function startsFirst(role: Omit<Role, 'instances'>, count: number): boolean {
  if (role.order === 'stop-first' || !canStandBeside(role)) return false
  return role.order === 'start-first' || count === 1
}

/** A floor in instances: a percentage of `count`, rounded up. */
export function floorCount(floor: CapacityFloor, count: number): number {
  return floor.unit === 'instances' ? floor.value : Math.ceil((count * floor.value) / 100)
}
