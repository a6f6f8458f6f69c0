import type { Certificate, Peer } from '../peers/peer.ts'
import type { Cell } from '../report/table.ts'
import type { Child } from './child.ts'
import type { Cores } from './cores.ts'
import type { Native } from './native.ts'
import type { Options } from './options.ts'
import type { Verdict } from './targets.ts'

/** What every workload has at hand. */
export interface Context {
  readonly options: Options
  readonly cores: Cores
  readonly native: Native
  /** Those asked for that can be run here. */
  readonly peers: readonly Peer[]
  /** A new empty folder of this run. */
  readonly folder: (name: string) => string
  /** Starts an instance; a label is told in `X-Version`. */
  readonly origin: (label?: string) => Promise<{ child: Child; port: number }>
  /** Made at its first use. Throws where there is no openssl. */
  readonly certificate: () => Certificate
  readonly say: (text: string) => void
}

export interface WorkloadReport {
  readonly head: readonly string[]
  readonly rows: readonly (readonly Cell[])[]
  readonly verdicts: readonly Verdict[]
  /** Who was left out and why, and what else a reader must know. */
  readonly notes: readonly string[]
  /** All numbers. */
  readonly json: object
}

export interface Workload {
  readonly name: string
  readonly title: string
  run(context: Context): Promise<WorkloadReport>
}
