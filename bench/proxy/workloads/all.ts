import type { Workload } from '../workload.ts'
import { accessLog } from './access-log.ts'
import { HTTP_WORKLOADS } from './http.ts'
import { idle } from './idle.ts'
import { latency } from './latency.ts'
import { memory } from './memory.ts'
import { swap } from './swap.ts'
import { websocket } from './websocket.ts'

/** Every workload, in the order in which they run. */
export const WORKLOADS: readonly Workload[] = [...HTTP_WORKLOADS, accessLog, websocket, idle, latency, memory, swap]
