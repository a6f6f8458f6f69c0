import type { Pin } from '../proxy/cores.ts'

/** What a workload asks of a peer beyond plain HTTP over connections that stay. */
export type Need = 'tls' | 'websocket' | 'connection-per-request'

export interface Certificate {
  readonly certificate: string
  readonly key: string
  /** Both in one file, as HAProxy wants them. */
  readonly both: string
}

/** Where and for what a peer is started; each workload starts its peers anew. */
export interface Setup {
  /** The instance's port on 127.0.0.1. */
  readonly origin: number
  /** Its own, empty. */
  readonly folder: string
  /** Given: the peer's port speaks TLS. */
  readonly tls: Certificate | null
  /** Answers of a megabyte: peers with buffers of fixed size get large ones. */
  readonly largeBodies: boolean
  readonly pin: Pin
}

export interface RunningPeer {
  readonly port: number
  /** Every process that belongs to it now. */
  pids(): number[]
  stop(): Promise<void>
}

/** A proxy that is measured. */
export interface Peer {
  readonly name: string
  /** What it runs, for the report. Throws if it cannot be run here; the message says why. */
  version(): string
  /** Why it cannot do this, or null. */
  lacks(need: Need): string | null
  start(setup: Setup): Promise<RunningPeer>
}
