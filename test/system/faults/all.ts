import type { Fault } from './fault.ts'
import { idleInstanceKilled, instanceKilled } from './rows/f01-instance-killed.ts'
import { instanceHung } from './rows/f02-instance-hung.ts'
import { allCrashLoop, allKilled } from './rows/f03-all-dead.ts'
import { deafInstance, orphanedChild } from './rows/f04-deaf-instance.ts'
import { crashesAtStart, crashesLater, neverHealthy, slowStart } from './rows/f06-bad-version.ts'
import { controllerKilled } from './rows/f07-controller-killed.ts'
import { killedAtCalls } from './rows/f07-killed-at-calls.ts'
import { holderKilled, proxyAlone, workerKilled } from './rows/f08-proxy-killed.ts'
import { agentKilled } from './rows/f09-agent-killed.ts'
import { twoControllers } from './rows/f10-two-controllers.ts'
import { diskFull } from './rows/f11-disk-full.ts'
import { flushFails } from './rows/f12-flush-fails.ts'
import { journalCut, journalFlipped } from './rows/f13-damaged-journal.ts'
import { noDescriptors } from './rows/f14-descriptors.ts'
import { stalled } from './rows/f15-stalled.ts'
import { clockJumps } from './rows/f16-clock-jumps.ts'
import { cutOff, swallowed, trickled } from './rows/f17-bad-network.ts'
import { gigabyte } from './rows/f17-gigabyte.ts'
import { clientLeaves } from './rows/f18-client-leaves.ts'
import { longConnections } from './rows/f19-long-connections.ts'
import { keepAliveRace } from './rows/f20-keep-alive-race.ts'
import { conflicts, refusedSwaps } from './rows/f21-conflicts.ts'
import { stranger } from './rows/f23-stranger.ts'
import { localhostIsIpv6 } from './rows/f24-localhost.ts'
import { cycles } from './rows/f25-cycles.ts'
import { logFlood } from './rows/f26-log-flood.ts'
import { badPackages } from './rows/f27-packages.ts'
import { memoryBounds } from './rows/memory-bounds.ts'
import { nodeRebooted } from './rows/node-rebooted.ts'
import { slowClients } from './rows/slow-clients.ts'

/** Every fault of the suite, in the order in which it is run and printed. */
export const FAULTS: readonly Fault[] = [
  instanceKilled,
  idleInstanceKilled,
  instanceHung,
  allKilled,
  allCrashLoop,
  deafInstance,
  orphanedChild,
  crashesAtStart,
  neverHealthy,
  crashesLater,
  slowStart,
  controllerKilled,
  killedAtCalls,
  workerKilled,
  holderKilled,
  proxyAlone,
  agentKilled,
  twoControllers,
  diskFull,
  flushFails,
  journalCut,
  journalFlipped,
  noDescriptors,
  stalled,
  clockJumps,
  swallowed,
  trickled,
  cutOff,
  gigabyte,
  clientLeaves,
  longConnections,
  keepAliveRace,
  conflicts,
  refusedSwaps,
  stranger,
  localhostIsIpv6,
  cycles,
  logFlood,
  badPackages,
  slowClients,
  memoryBounds,
  nodeRebooted,
]
