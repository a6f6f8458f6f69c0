import type { AssignedInstance } from '../src/contracts/assignment.ts'
import type { Ended, KeptProcess } from './kept-process.ts'
import type { ProbeResult } from './probe.ts'
import { groupMembers } from './process-table.ts'
import { startProber, type Health, type ProbeTrack } from './prober.ts'
import { portOwner } from './sockets.ts'

export interface WatchOptions {
  readonly process: KeptProcess
  readonly assigned: AssignedInstance
  readonly host: string
  readonly ports: Readonly<Record<string, number>>
  /** What is known of it: an adopted one may be ready already. */
  readonly health: Health
  /** Left of its start time-out, milliseconds. */
  readonly startMs: number
  readonly onProbe: (track: ProbeTrack, result: ProbeResult) => void
  /** Its main process has ended; what it left behind is being ended. */
  readonly onEnding: () => void
  /** `ended` or `expired` has changed. */
  readonly onChange: () => void
}

/** A live process under observation: probed, its start time-out and its end awaited, until `close()`. */
export class Watch {
  readonly process: KeptProcess
  /** Not ready within its start time-out. */
  expired = false
  /** Set when nothing of its group is left. */
  ended: Ended | null = null
  readonly #prober: { stop(): void }
  readonly #expiry: NodeJS.Timeout | undefined
  #closed = false

  constructor(options: WatchOptions) {
    const { process, assigned, host, ports, health } = options
    const { probe, endpoints } = assigned.spec
    const probed = probe.kind === 'process' ? null : probe.endpoint
    this.process = process
    if (health === 'starting') {
      this.#expiry = setTimeout(() => {
        this.expired = true
        options.onChange()
      }, options.startMs)
    }
    this.#prober = startProber({
      probe,
      host,
      ports,
      backend: endpoints.find(endpoint => endpoint.name === probed)?.backend,
      initial: health,
      vouch: () => vouchFor(process.pid, ports, probed),
      onResult: (track, result) => {
        if (process.isEnding) return
        if (track.health === 'ready') clearTimeout(this.#expiry)
        options.onProbe(track, result)
      },
    })
    void process.ending.then(() => {
      this.#prober.stop()
      if (!this.#closed && !process.isOver) options.onEnding()
    })
    void process.ended.then(ended => {
      this.ended = ended
      options.onChange()
    })
  }

  /** No more probes and time-outs; the process is none of its business any more. */
  close(): void {
    this.#closed = true
    clearTimeout(this.#expiry)
    this.#prober.stop()
  }
}

/** Why an answer on the instance's ports may not be the instance's own; null if it is. */
function vouchFor(group: number, ports: Readonly<Record<string, number>>, probed: string | null): string | null {
  if (Object.keys(ports).length === 0) return null
  const members = groupMembers(group)
  for (const [name, port] of Object.entries(ports)) {
    const owner = portOwner(port, members)
    if (owner === 'stranger') return `port ${port} (${name}) is held by another process, not by this instance`
    if (owner === 'none' && name === probed) return `nothing listens on port ${port} (${name})`
  }
  return null
}
