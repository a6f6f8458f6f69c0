import type { Probe } from '../src/model/definition.ts'
import { probeOnce, type ProbeResult } from './probe.ts'

export type Health = 'starting' | 'ready' | 'unresponsive'

/** Pure: what a row of probe results makes of an instance. */
export interface ProbeTrack {
  readonly health: Health
  /** Results in a row that speak against `health`. */
  readonly against: number
}

/** `healthy` successes in a row make it ready, `unhealthy` failures in a row of a ready one unresponsive. */
export function trackProbe(track: ProbeTrack, ok: boolean, bounds: Pick<Probe, 'healthy' | 'unhealthy'>): ProbeTrack {
  const isReady = track.health === 'ready'
  if (ok === isReady) return track.against === 0 ? track : { ...track, against: 0 }
  const against = track.against + 1
  if (against < (isReady ? bounds.unhealthy : bounds.healthy)) return { ...track, against }
  return { health: isReady ? 'unresponsive' : 'ready', against: 0 }
}

const EAGER_MS = 100
/** While a start is young and no probe has succeeded: its readiness is seen soon after it comes about. */
const KNOCK_MS = 20
const KNOCK_FOR_MS = 2000

export interface ProberOptions {
  readonly probe: Probe
  readonly host: string
  readonly ports: Readonly<Record<string, number>>
  /** What the probed endpoint speaks. */
  readonly backend?: 'h1' | 'h2c' | undefined
  readonly initial: Health
  /** Asked before an instance becomes ready: is the answer the instance's own? null is yes, a text says why not. */
  readonly vouch: () => string | null
  readonly onResult: (track: ProbeTrack, result: ProbeResult) => void
}

/**
 * Probes until stopped, never two at once: while starting every min(interval, 100 ms), in the first two seconds every 20 ms
 * until one succeeds; every interval afterwards.
 */
export function startProber(options: ProberOptions): { stop(): void } {
  const { probe, host, ports, backend, vouch, onResult } = options
  let track: ProbeTrack = { health: options.initial, against: 0 }
  let stopped = false
  let timer: NodeJS.Timeout

  const eager = Math.min(probe.intervalMs, EAGER_MS)
  const knock = Math.min(probe.intervalMs, KNOCK_MS)
  const startedAt = performance.now()
  const pauseAfter = (ok: boolean, at: number): number => {
    if (track.health !== 'starting') return probe.intervalMs
    return !ok && at - startedAt < KNOCK_FOR_MS ? knock : eager
  }
  const turn = async (): Promise<void> => {
    const begun = performance.now()
    let result = await probeOnce(probe, host, ports, backend)
    if (stopped) return
    // Not at every success: it reads a good part of /proc.
    if (result.ok && track.health !== 'ready') {
      const doubt = vouch()
      if (doubt !== null) result = { ok: false, detail: doubt }
    }
    track = trackProbe(track, result.ok, probe)
    onResult(track, result)
    const now = performance.now()
    if (!stopped) schedule(Math.max(0, pauseAfter(result.ok, now) - (now - begun)))
  }
  const schedule = (ms: number): void => {
    timer = setTimeout(() => void turn(), ms)
  }
  // A worker that only has to be up gets a moment in which a broken start shows.
  schedule(probe.kind === 'process' || options.initial !== 'starting' ? eager : knock)
  return {
    stop: () => {
      stopped = true
      clearTimeout(timer)
    },
  }
}
