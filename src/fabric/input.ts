import type { InstanceObservation } from '../contracts/assignment.ts'
import type { Command } from '../contracts/command.ts'
import type { ListenerStatus, NodeFacts, ProxyStatus } from '../contracts/link.ts'
import type { Revision } from '../contracts/revision.ts'
import type { TaskReport } from '../contracts/task.ts'
import type { Certificate } from '../model/certificate.ts'
import type { Release } from '../model/release.ts'
import type { Slot } from '../model/slot.ts'
import type { HealthState } from '../model/states.ts'
import type { RecoveryNote } from './recovery.ts'
import type { FabricSettings } from './state.ts'

/** What a peer says of what it has and does: a level, of which the newest counts. */
export type Observation =
  | {
      readonly kind: 'proxy-acknowledged'
      readonly incarnation: string
      readonly revision: Revision
      readonly listeners: readonly ListenerStatus[]
      readonly status: ProxyStatus
    }
  | { readonly kind: 'proxy-status'; readonly incarnation: string; readonly status: ProxyStatus }
  | {
      readonly kind: 'agent-observed'
      readonly node: string
      readonly revision: Revision | null
      readonly instances: readonly InstanceObservation[]
      readonly packages: readonly string[]
      readonly packageErrors: Readonly<Record<string, string>>
    }
  /** What a peer acknowledged stands for this later revision too: nothing that concerns it differs. */
  | { readonly kind: 'proxy-reached'; readonly incarnation: string; readonly revision: Revision }
  | { readonly kind: 'agent-reached'; readonly node: string; readonly revision: Revision }

/** Everything that can happen to the fabric. */
export type Input =
  /** A controller took over: nothing seen before counts, and its term is above all before it. */
  | { readonly kind: 'restored'; readonly settings: FabricSettings; readonly recovery?: RecoveryNote | null }
  /** An operator goes on with what was put back. It may be refused, as a command. */
  | RecoveryAccepted
  | {
      readonly kind: 'command'
      readonly command: Command
      readonly idempotencyKey: string | null
      /** Who asks, as the edge knows them; absent: nobody said. */
      readonly by?: string | null
      /** Those that the command's configuration stands for by id: a command itself holds no key. */
      readonly certificates?: readonly Certificate[]
    }
  | { readonly kind: 'release-added'; readonly release: Release; readonly certificates?: readonly Certificate[] }
  | { readonly kind: 'releases-removed'; readonly digests: readonly string[] }
  /** A peer has applied a word of a higher term than ours. */
  | { readonly kind: 'term-seen'; readonly term: number }
  | {
      readonly kind: 'proxy-connected'
      readonly id: string
      readonly incarnation: string
      readonly bootId: string
      readonly predecessors: readonly { readonly incarnation: string; readonly exited: boolean }[]
    }
  | { readonly kind: 'proxy-disconnected'; readonly incarnation: string }
  | { readonly kind: 'proxy-exited'; readonly incarnation: string }
  | { readonly kind: 'agent-connected'; readonly node: string; readonly facts: NodeFacts }
  | { readonly kind: 'agent-disconnected'; readonly node: string }
  | Observation
  /** What peers said since the last turn, in that order, folded in by one pass. */
  | { readonly kind: 'observed'; readonly batch: readonly Observation[] }
  | HealthReported
  /** Someone wants to count a service's traffic from now on. `read`: a reading ends here, and the next may begin. */
  | {
      readonly kind: 'traffic-marked'
      readonly id: string
      readonly service: string
      readonly label: string | null
      readonly read: boolean
    }
  | { readonly kind: 'task-reported'; readonly id: string; readonly report: TaskReport }
  | { readonly kind: 'tick' }

export interface RecoveryAccepted {
  readonly kind: 'recovery-accepted'
}

/** Someone outside says how a deployment or an instance is. It may be refused, as a command. */
export interface HealthReported {
  readonly kind: 'health-reported'
  readonly service: string
  readonly slot: Slot
  /** Absent: the deployment. */
  readonly instance?: string
  readonly report: {
    readonly source: string
    readonly property: string
    readonly state: HealthState
    readonly description: string
    readonly ttlMs: number | null
    readonly removeWhenExpired: boolean
    /** null: the next. */
    readonly sequence: number | null
  }
}
