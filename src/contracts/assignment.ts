import type { Command, LocalStorageDefinition, Probe, ReloadSignal } from '../model/definition.ts'
import type { Revision } from './revision.ts'

/** Everything one node should run, whole: controller → agent. Not listed means: stop it and remove its folders. */
export interface Assignment {
  readonly fabric: string
  readonly revision: Revision
  readonly node: string
  readonly instances: readonly AssignedInstance[]
  /** What others run and this node is to probe. Controllers of earlier versions do not say. */
  readonly fronted?: readonly FrontedInstance[]
  /** Digests of packages to fetch ahead and keep; others may be removed. */
  readonly packages: readonly string[]
  /** Packages are run only with a signature of one of these, public keys by name. Absent: none is asked for. */
  readonly trustedKeys?: Readonly<Record<string, string>>
  /** Sealed text → value, of all secrets that these instances need. On the link only, never on a disk. */
  readonly secrets?: Readonly<Record<string, string>>
  /** Where ports of instances are taken from, inclusive; outside the ephemeral range. */
  readonly portRange: { readonly from: number; readonly to: number }
}

export interface AssignedInstance {
  /** `deployment/instance`, or `deployment/instance.b` for a process beside another of the instance. Names its folders. */
  readonly key: string
  readonly service: string
  readonly deployment: string
  readonly role: string
  readonly instance: string
  readonly index: number
  /** Grows with every planned start. A process of a lower incarnation is stopped first. */
  readonly incarnation: number
  readonly desired: 'run' | 'stop'
  /** Which operation works on its deployment, for log lines. It alone is no reason to say the rest again. */
  readonly operation?: string
  /**
   * Folders emptied before this incarnation starts, besides its role root, which is always laid out afresh: none; `system`
   * (home and temporary folder); `all` (local storage too).
   */
  readonly clean: 'none' | 'system' | 'all'
  readonly upgradeDomain: number
  readonly faultDomain: number
  /** Role → how many instances of it the deployment has. A change restarts nothing: it is told (agents/told.ts). */
  readonly peers?: Readonly<Record<string, number>>
  readonly spec: RunSpec
}

/** An instance that is not ours to run: it is only asked whether it is there. */
export interface FrontedInstance {
  /** `deployment/instance` */
  readonly key: string
  readonly incarnation: number
  readonly version: string
  readonly host: string
  /** Endpoint name → port. */
  readonly ports: Readonly<Record<string, number>>
  readonly backend: 'h1' | 'h2c'
  readonly probe: Probe
}

/** How to run one instance. */
export interface RunSpec {
  /** What the controller calls it: an observation names it back. */
  readonly id?: string
  /** Digest of the package. */
  readonly package: string
  readonly path: string
  readonly version: string
  readonly command: Command
  readonly startup: readonly Command[]
  readonly endpoints: readonly {
    readonly name: string
    readonly protocol: 'http' | 'https' | 'tcp'
    /** What the instance speaks: HTTP/1.1 unless it says otherwise. */
    readonly backend?: 'h1' | 'h2c'
  }[]
  readonly probe: Probe
  readonly settings: Readonly<Record<string, string>>
  /** Those of `settings` whose values are sealed: the assignment's `secrets` opens them. */
  readonly secrets?: readonly string[]
  /** Other settings of the same incarnation are told by a file and this signal, not by a restart. */
  readonly settingsReload?: ReloadSignal
  readonly env: Readonly<Record<string, string>>
  /** `ENDPOINT_<ROLE>_<NAME>` variables of the deployment's internal endpoints, as `host:port`. */
  readonly internalEndpoints: Readonly<Record<string, string>>
  readonly localStorage: readonly LocalStorageDefinition[]
  /** As whom it runs. Absent: as its agent. */
  readonly user?: string
  /** What bounds each of its processes, or all of an instance's together where the node has cgroups. Absent: nothing. */
  readonly limits?: { readonly openFiles?: number; readonly memoryBytes?: number; readonly cores?: number }
  readonly startTimeoutMs: number
  readonly stopTimeoutMs: number
}

export type ObservedState =
  | 'preparing' // fetching the package, laying out folders, startup commands
  | 'starting' // the process runs, its probe has not succeeded yet
  | 'ready'
  | 'unresponsive' // was ready, its probe fails now
  | 'stopping'
  | 'stopped' // no non-zombie member of its process group is left
  | 'backoff' // died, waits for its restart
  | 'cycling' // died again and again; still restarted, at the longest back-off
  | 'failed' // not ready within startTimeout, or could not be prepared

/** What an agent sees of one instance: agent → controller. */
export interface InstanceObservation {
  readonly key: string
  readonly incarnation: number
  /** The spec its process was started with, or told of since. */
  readonly spec?: string
  /** Grows with every start of a process within one incarnation. */
  readonly attempt: number
  readonly state: ObservedState
  readonly version: string
  readonly host: string
  /** Endpoint name → local port of this attempt. */
  readonly ports: Readonly<Record<string, number>>
  readonly pid: number | null
  readonly restarts: number
  /** Bytes last measured in each local storage. */
  readonly storage?: Readonly<Record<string, number>>
  /** Wall clock of the last change of `state`. */
  readonly since: number
  /** Why it is in this state, in words: last probe, exit status, last error. */
  readonly detail: string
}
