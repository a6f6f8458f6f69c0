import type { RunningPeer } from '../peers/peer.ts'
import { cpuBetween, readCore, readCpu } from './usage.ts'
import type { LoadCount } from './wrk.ts'

/** One round of one peer. */
export interface Sample {
  /** CPU time of all the peer's processes over what was served, microseconds. */
  readonly cpuPerUnit: number
  readonly perSecond: number
  /** Share of the proxy's core that it used. */
  readonly core: number
  /** Share of the load's core that was busy. With neither near 1, something else held things up: a machine that is shared. */
  readonly loadCore: number
  readonly errors: number
}

/** Lets the load run once and takes what it cost. `units` of work per request: 1, or its size in MiB. */
export async function measure(
  peer: RunningPeer,
  load: (port: number) => Promise<LoadCount>,
  { units, loadCore }: { units: number; loadCore: number },
): Promise<Sample> {
  const pids = peer.pids()
  const [before, ticks] = [readCpu(pids), readCore(loadCore)]
  const { requests, seconds, errors } = await load(peer.port)
  const [after, ticksAfter] = [readCpu(pids), readCore(loadCore)]
  if (requests === 0) throw new Error('nothing was served')
  const cpu = cpuBetween(before, after)
  return {
    cpuPerUnit: cpu / 1000 / (requests * units),
    perSecond: requests / seconds,
    core: cpu / 1e9 / seconds,
    loadCore: (ticksAfter.busy - ticks.busy) / (ticksAfter.all - ticks.all),
    errors,
  }
}

/**
 * Rounds in turn, so that what the machine does meanwhile meets all alike: each goes through all peers, every other one
 * in the opposite order. One more round before them warms up and is not counted.
 */
export async function interleave<P, S>(
  peers: readonly P[],
  rounds: number,
  one: (peer: P, round: number) => Promise<S>,
): Promise<Map<P, S[]>> {
  const samples = new Map<P, S[]>(peers.map(peer => [peer, []]))
  for (let round = 0; round <= rounds; round++) {
    for (const peer of round % 2 === 0 ? peers : peers.toReversed()) {
      const sample = await one(peer, round)
      if (round > 0) samples.get(peer)?.push(sample)
    }
  }
  return samples
}
