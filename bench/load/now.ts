import { performance } from 'node:perf_hooks'

// performance.now() begins at each thread's own start; hrtime is one clock for the whole machine.
const OFFSET = Number(process.hrtime.bigint()) / 1e6 - performance.now()

/** Milliseconds of the machine's monotonic clock: comparable between threads and processes of one boot. */
export function now(): number {
  return performance.now() + OFFSET
}
