import type { RunningPeer } from '../peers/peer.ts'
import { cpuBetween, readCpu } from './usage.ts'
import type { LoadCount } from './wrk.ts'

/** One round of one peer. */
export interface Sample {
  /** CPU time of all the peer's processes over what was served, microseconds. */
  readonly cpuPerUnit: number
  readonly perSecond: number
  /** Share of the proxy's core that it used: below 0.95 something else was the bottleneck. */
  readonly core: number
  readonly errors: number
}

/** Lets the load run once and takes what it cost. `units` of work per request: 1, or its size in MiB. */
export async function measure(
  peer: RunningPeer,
  load: (port: number) => Promise<LoadCount>,
  units = 1,
): Promise<Sample> {
  const pids = peer.pids()
  const before = readCpu(pids)
  const { requests, seconds, errors } = await load(peer.port)
  const after = readCpu(pids)
  if (requests === 0) throw new Error('nothing was served')
  const cpu = cpuBetween(before, after)
  return {
    cpuPerUnit: cpu / 1000 / (requests * units),
    perSecond: requests / seconds,
    core: cpu / 1e9 / seconds,
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
