import type { Draft } from '../draft.ts'
import type { DeploymentRecord } from '../state.ts'
import type { UpgradeRecord } from '../upgrade-record.ts'
import { judgeShare } from './auto.ts'
import { judgeMonitored, overdue } from './monitored.ts'
import type { Verdict } from './verdict.ts'

/** Does nothing happen until a walk is asked for? Also where a failed check left the upgrade to its operator. */
export function waitsForWalk({
  mode,
  position,
  failure,
}: Pick<UpgradeRecord, 'mode' | 'position' | 'failure'>): boolean {
  return mode === 'manual' || (mode === 'unmonitored-manual' && (position > 0 || failure !== null))
}

/** A walk under way in words, and how it comes to an end. */
export function describeWalk(upgrade: UpgradeRecord): string {
  const { direction, phase, from, to } = upgrade
  if (phase === 'halted')
    return `the rollback to ${from.version} could not start an old instance: a fresh \`vipswap upgrade\`, or \`vipswap rollback\` again`
  const back = direction === 'back'
  const what = back ? `the rollback to ${from.version}` : `the upgrade to ${to.version}`
  const end = waitsForWalk(upgrade) ? 'finish it with `vipswap walk`' : 'wait for it'
  return `${what} is not complete: ${end}${back ? '' : ', or `vipswap rollback`'}`
}

/** May the walk leave the domain whose instances are all started? Called each time something changed. */
export function judge(draft: Draft, deployment: Readonly<DeploymentRecord>, upgrade: UpgradeRecord): Verdict {
  if (upgrade.direction === 'back') return { kind: 'go' }
  switch (upgrade.mode) {
    case 'unmonitored-auto':
    case 'unmonitored-manual':
      return { kind: 'go' }
    case 'auto':
    case 'manual':
    case 'simultaneous':
      return judgeShare(draft, deployment, upgrade)
    case 'monitored':
      return judgeMonitored(draft, deployment, upgrade)
  }
}

/** Has a monitored upgrade run out of time, whatever it is at? */
export function judgeTime(draft: Draft, deployment: Readonly<DeploymentRecord>, upgrade: UpgradeRecord): Verdict {
  return upgrade.direction === 'forward' && upgrade.mode === 'monitored'
    ? overdue(draft, deployment, upgrade)
    : { kind: 'go' }
}
