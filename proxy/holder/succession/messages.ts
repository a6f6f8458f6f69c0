import type { RoutingTable } from '../../../src/contracts/routing.ts'

// What a proxy that is being replaced and its successor, a child of it, say to each other over the IPC channel.

export type ToSuccessor =
  /** First: what it goes on with. As many `listener` messages follow as there are `listeners`. */
  | {
      readonly type: 'inherit'
      readonly table: RoutingTable | null
      readonly ticketKeys: string
      readonly listeners: number
    }
  /** Comes with the bound socket. */
  | { readonly type: 'listener'; readonly address: string; readonly port: number }
  /** It serves: lock and pid file are its own now. */
  | { readonly type: 'yours' }
  /** Comes with a client's connection. */
  | { readonly type: 'connection'; readonly address: string }

export type FromSuccessor =
  /** Its workers listen and have the table. */
  | { readonly type: 'serving' }
  /** It has lock and pid file. From here on the predecessor accepts nothing. */
  | { readonly type: 'took' }
  /** It has been told to end, and with it all that is left of its predecessor. */
  | { readonly type: 'stop' }
