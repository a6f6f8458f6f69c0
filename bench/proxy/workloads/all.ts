import type { Workload } from '../workload.ts'
import { HTTP_WORKLOADS } from './http.ts'

/** Every workload, in the order in which they run. */
export const WORKLOADS: readonly Workload[] = [...HTTP_WORKLOADS]
