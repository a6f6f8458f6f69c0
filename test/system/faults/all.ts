import type { Fault } from './fault.ts'
import { idleInstanceKilled, instanceKilled } from './rows/f01-instance-killed.ts'
import { holderKilled, proxyAlone, workerKilled } from './rows/f08-proxy-killed.ts'
import { agentKilled } from './rows/f09-agent-killed.ts'

/** Every fault of the suite, in the order in which it is run and printed. */
export const FAULTS: readonly Fault[] = [
  instanceKilled,
  idleInstanceKilled,
  workerKilled,
  holderKilled,
  proxyAlone,
  agentKilled,
]
