import type { Moment } from '../core/clock.ts'
import { afterDueInMs } from './around.ts'
import { dueInMs } from './advance-role.ts'
import { nodeDueInMs } from './nodes.ts'
import { pauseDueInMs } from './pause.ts'
import { isHeld } from './recovery.ts'
import { type FabricState, processesOf } from './state.ts'
import { reportDueInMs } from './health/report.ts'
import { upgradeDueInMs } from './upgrade/clocks.ts'

/**
 * Milliseconds until a clock in the state is due, or null; always more than 0. `now` is the moment of the last `apply`:
 * what was due then has been looked at.
 */
export function projectWakeIn(state: FabricState, now: Moment): number | null {
  if (isHeld(state)) return null
  let due: number | null = null
  const consider = (ms: number | null): void => {
    if (ms !== null && (due === null || ms < due)) due = ms
  }
  for (const role of Object.values(state.roles)) {
    for (const instance of role.instances.flatMap(processesOf)) consider(dueInMs({ now }, role, instance))
  }
  consider(nodeDueInMs(state, now))
  for (const deployment of Object.values(state.deployments)) {
    consider(upgradeDueInMs(deployment, now))
  }
  for (const service of Object.values(state.services)) consider(pauseDueInMs(service, now))
  for (const aftermath of Object.values(state.aftermaths)) consider(afterDueInMs(aftermath, now))
  for (const record of Object.values(state.health)) consider(reportDueInMs(record, now))
  return due
}
