import type { EventView } from '../../../../src/contracts/api/event.ts'
import type { InstanceView } from '../../../../src/contracts/api/instance.ts'
import type { OperationView } from '../../../../src/contracts/api/operation.ts'
import type { Outcome } from '../../../../bench/load/records.ts'
import type { Slot } from '../../../../src/model/slot.ts'
import type { CheckedLine } from '../../../checkers/lines.ts'

// One line of a recording: what README.md says in words. All times are milliseconds since 1970 on a clock that never jumps.

export interface RunLine {
  readonly type: 'run'
  readonly form: 1
  readonly name: string
  readonly at: number
}

/** One request of a client that never retries. */
export interface RequestLine {
  readonly type: 'request'
  readonly client: string
  /** `production`, `staging`, or what else its address is called. */
  readonly vip: string
  readonly method: 'GET' | 'POST'
  readonly nonce: string
  /** Before the first byte was sent (or the connection was begun, where it was refused). */
  readonly start: number
  /** When the head of the answer had come; null: none came. */
  readonly head: number | null
  readonly end: number
  readonly outcome: Outcome
  /** 0 where no answer came. */
  readonly status: number
  /** Who answered, by the answer's own fields; empty where no instance did. */
  readonly deployment: string
  readonly instance: string
  readonly version: string
}

/** One call that changes something, until its end was known. */
export interface OperationLine {
  readonly type: 'operation'
  readonly call: string
  readonly id: string | null
  readonly start: number
  /** When the 202 had come; null: it was refused, or never answered. */
  readonly accepted: number | null
  readonly end: number
  readonly outcome: OperationView['status'] | 'refused' | 'unknown'
  readonly code: string | null
}

/** An event of `/v1/events`; `at` is the controller's wall clock. */
export interface EventLine extends Omit<EventView, 'at' | 'kind'> {
  readonly type: 'event'
  readonly at: number
  readonly kind: string
}

/** An instance as `/v1/services` showed it, each time that this changed; `gone` once it is no longer there. */
export interface InstanceLine extends Pick<
  InstanceView,
  'id' | 'status' | 'routing' | 'version' | 'upgradeDomain' | 'node' | 'pid'
> {
  readonly type: 'instance'
  readonly at: number
  readonly slot: Slot
  readonly deployment: string
  readonly gone: boolean
}

/** Which deployment each slot held, each time that this changed. */
export interface SlotsLine {
  readonly type: 'slots'
  readonly at: number
  readonly production: string | null
  readonly staging: string | null
}

/** A POST that an instance carried out, as it noted itself on disk; `at` is its wall clock. */
export interface ExecutedLine {
  readonly type: 'executed'
  readonly at: number
  readonly nonce: string
  readonly instance: string
  readonly deployment: string
  readonly pid: number
}

/** What was done to the system: a signal, a full disk, or its end. */
export interface InjectedLine {
  readonly type: 'injected'
  readonly at: number
  readonly what: string
}

export type Line =
  | RunLine
  | RequestLine
  | OperationLine
  | EventLine
  | InstanceLine
  | SlotsLine
  | ExecutedLine
  | InjectedLine
  | CheckedLine
