import type { FrontedInstance, InstanceObservation } from '../src/contracts/assignment.ts'
import type { Clock } from '../src/core/clock.ts'
import { startProber } from './prober.ts'

interface Probed {
  readonly wanted: FrontedInstance
  readonly stop: () => void
  /** null: too little is known to say something. */
  seen: InstanceObservation | null
  failures: number
}

/** Asks after instances that others run, and says what it found. Nothing is started or stopped. */
export class FrontedInstances {
  readonly #clock: Clock
  readonly #onChange: () => void
  readonly #probed = new Map<string, Probed>()

  constructor(clock: Clock, onChange: () => void) {
    this.#clock = clock
    this.#onChange = onChange
  }

  /** All of them; those not listed are asked after no more. */
  want(list: readonly FrontedInstance[]): void {
    const keys = new Set(list.map(({ key }) => key))
    for (const [key, { stop }] of this.#probed) {
      if (keys.has(key)) continue
      stop()
      this.#probed.delete(key)
    }
    for (const wanted of list) {
      const known = this.#probed.get(wanted.key)
      if (known !== undefined && JSON.stringify(known.wanted) === JSON.stringify(wanted)) continue
      known?.stop()
      this.#begin(wanted)
    }
  }

  observe(): InstanceObservation[] {
    return [...this.#probed.values()].flatMap(({ seen }) => seen ?? [])
  }

  #begin(wanted: FrontedInstance): void {
    const { probe, host, ports, backend } = wanted
    const prober = startProber({
      probe,
      host,
      ports,
      backend,
      initial: 'starting',
      vouch: () => null,
      onResult: ({ health }, { ok, detail }) => {
        const probed = this.#probed.get(wanted.key)
        if (probed?.wanted !== wanted) return
        probed.failures = ok ? 0 : probed.failures + 1
        // Asked for the first time, or by an agent that has just begun: one answer too few takes nothing out of rotation.
        if (health === 'starting' && probed.failures < probe.unhealthy) return
        this.#say(probed, health, detail)
      },
    })
    this.#probed.set(wanted.key, { wanted, stop: () => prober.stop(), seen: null, failures: 0 })
  }

  #say(probed: Probed, state: 'starting' | 'ready' | 'unresponsive', detail: string): void {
    const { seen, wanted } = probed
    if (seen?.state === state && seen.detail === detail) return
    const since = seen?.state === state ? seen.since : this.#clock.now().wall
    const { key, incarnation, version, host, ports } = wanted
    probed.seen = { key, incarnation, attempt: 1, state, version, host, ports, pid: null, restarts: 0, since, detail }
    this.#onChange()
  }
}
