import type { Moment } from '../../src/core/clock.ts'
import { elapsedMs } from '../../src/fabric/anchor.ts'
import { waitsForWalk } from '../../src/fabric/upgrade/gate.ts'
import type { UpgradeRecord } from '../../src/fabric/upgrade-record.ts'
import { placed, type Placed } from './placed.ts'
import type { SimController } from './sim-controller.ts'
import type { World } from './world.ts'

/** Longer than the longest partition, start and drain after one another. */
const LONG_MS = 180_000
/** Of no version does anybody hear nothing for so long after its start. */
const START_MS = 60_000

/**
 * Nothing goes wrong any more and nobody asks for anything, yet what is sick stays so: a walk that has not come to its end
 * by then must have failed, be seen to wait, or still have something on its way. It takes long, so only odd seeds look; the
 * others are healed in the middle of whatever they are at.
 */
export function checkStuckWalks(world: World, controller: SimController): void {
  if (world.seed % 2 === 0) return
  if (!Object.values(controller.state.deployments).some(({ upgrade }) => upgrade !== null)) return
  world.run(LONG_MS)
  if (!controller.up) return
  for (const { id, state, upgrade } of Object.values(controller.state.deployments)) {
    if (upgrade === null || state !== 'running' || saysThatItWaits(upgrade)) continue
    if (placed(controller.state, id).some(({ instance }) => isUnderWay(instance, world.now()))) continue
    world.fail(
      'walk says why',
      `the walk of ${id} (${upgrade.mode}) waits, ${upgrade.phase}, and nothing is on its way`,
    )
  }
}

function saysThatItWaits(upgrade: UpgradeRecord): boolean {
  switch (upgrade.phase) {
    case 'halted':
      return true
    case 'waiting':
      return upgrade.belowFloor === true || (upgrade.walk === null && waitsForWalk(upgrade))
    case 'verifying':
      return upgrade.stuck.length > 0 || isTimed(upgrade)
    case 'preparing':
    case 'walking':
    case 'removing':
      return false
  }
}

/** Its checks go on until health was the same for long enough. */
function isTimed({ mode, direction }: UpgradeRecord): boolean {
  return mode === 'monitored' && direction === 'forward'
}

function isUnderWay({ stage, next, hopeless, anchor }: Readonly<Placed['instance']>, now: Moment): boolean {
  return next !== null || (stage === 'starting' && !hopeless && elapsedMs(anchor, now) < START_MS)
}
