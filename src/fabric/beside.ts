import { canStandBeside, startsFirst } from '../model/order.ts'
import type { InstanceRecord, RoleRecord } from './state.ts'

/** Will this instance come to `spec` without leaving the table: a new process beside the one that serves? */
export function comesBeside(role: Readonly<RoleRecord>, instance: Readonly<InstanceRecord>, spec: string): boolean {
  const [now, then] = [role.specs[instance.spec]?.definition, role.specs[spec]?.definition]
  if (now === undefined || then === undefined) return false
  // Both must be able to: the old one may hold storage that the new one no longer names.
  return startsFirst(then, role.instances.length) && canStandBeside(now)
}
