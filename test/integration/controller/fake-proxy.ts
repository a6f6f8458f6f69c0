import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { ControllerLink } from '../../../proxy/holder/controller-link.ts'
import type { RoutingTable } from '../../../src/contracts/routing.ts'

/** A proxy on the link that carries no traffic: it keeps the newest table and acknowledges it, unless told to wait. */
export class FakeProxy {
  table: RoutingTable | null = null
  #acknowledging = true
  readonly #link: ControllerLink
  readonly #incarnation = randomUUID()

  constructor(runDirectory: string, t: { teardown: (fn: () => void) => void }) {
    this.#link = new ControllerLink(
      { kind: 'socket', path: join(runDirectory, 'controller.sock') },
      {
        hello: () => ({
          type: 'hello',
          peer: 'proxy',
          id: 'proxy',
          incarnation: this.#incarnation,
          bootId: 'boot',
          applied: this.table?.revision ?? null,
          predecessors: [],
        }),
        onMessage: ({ table }) => {
          this.table = table
          if (this.#acknowledging) this.#acknowledge(table)
        },
        onUp: () => {},
        onCaughtUp: () => {},
      },
    )
    this.#link.start()
    t.teardown(() => this.#link.close())
  }

  /** Tables are taken and nothing is said of them, until `resume`. */
  pause(): void {
    this.#acknowledging = false
  }

  resume(): void {
    this.#acknowledging = true
    if (this.table !== null) this.#acknowledge(this.table)
  }

  #acknowledge({ revision, listeners }: RoutingTable): void {
    this.#link.send({
      type: 'ack',
      revision,
      listeners: listeners.map(({ key, port }, index) => ({ key, port: port || 40_000 + index, error: null })),
      status: { revision, inFlight: {}, ledger: { incarnation: this.#incarnation, rows: [] } },
    })
  }
}
