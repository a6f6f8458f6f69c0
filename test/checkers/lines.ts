// Lines of a recording beside those of the fault suite (test/system/faults/history/line.ts); times as there.

/** What an instance noted of itself; its wall clock, brought to the recorder's. */
export interface NotedLine {
  readonly type: 'noted'
  readonly at: number
  /** Its process began; it listens; it was sent SIGTERM. */
  readonly what: 'began' | 'listens' | 'told'
  readonly instance: string
  readonly deployment: string
  readonly version: string
  readonly pid: number
  /** Its process group, by which an `instance` line names it. */
  readonly group: number
  /** Callers' requests that it was answering at that moment, streams aside. */
  readonly open: number
}

/** One process that has an instance's identity in its environment, or a part of the system. */
export interface FoundProcess {
  readonly pid: number
  readonly group: number
  /** Empty: not a role process. */
  readonly deployment: string
  readonly instance: string
  /** TCP ports on which it listens. */
  readonly ports: readonly number[]
  readonly command: string
}

/** What runs, and what the controller says should: taken while nothing was under way. */
export interface ProcessesLine {
  readonly type: 'processes'
  readonly at: number
  readonly listed: readonly { readonly deployment: string; readonly instance: string; readonly pid: number | null }[]
  readonly found: readonly FoundProcess[]
}

/** A WebSocket or an event stream that ended otherwise than by its client. */
export interface StreamLine {
  readonly type: 'stream'
  readonly kind: 'websocket' | 'events'
  readonly vip: string
  readonly deployment: string
  readonly instance: string
  readonly start: number
  readonly end: number
  /** `closed 1001`, `ended`, `cut`, `refused`, `corrupt`. */
  readonly how: string
}

/** Both slots, and the swap, creation or deletion that runs. */
export interface SlotsSeen {
  readonly production: string | null
  readonly staging: string | null
  readonly operation: string | null
}

/** One call of one of several concurrent clients of the admin API. */
export interface CallLine {
  readonly type: 'call'
  /** Calls of one round begin and end with nothing under way. */
  readonly round: number
  readonly client: string
  readonly call: 'swap' | 'create' | 'delete' | 'read'
  /** What a swap expects; null: nothing. */
  readonly expect: { readonly production: string | null; readonly staging: string | null } | null
  readonly start: number
  readonly end: number
  /** `unknown`: no answer came, whether it was done is not known. */
  readonly outcome: 'accepted' | 'refused' | 'seen' | 'unknown'
  readonly code: string | null
  readonly operation: string | null
  /** Of a read. */
  readonly seen: SlotsSeen | null
}

/** An accepted operation of such a round has ended, somewhere between these two times. */
export interface EndedLine {
  readonly type: 'ended'
  readonly round: number
  readonly operation: string
  readonly start: number
  readonly end: number
  readonly outcome: string
  /** What a creation made. */
  readonly deployment: string | null
}

export type CheckedLine = NotedLine | ProcessesLine | StreamLine | CallLine | EndedLine
