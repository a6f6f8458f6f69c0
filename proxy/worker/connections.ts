import type { TcpHandle } from '../connections/tcp-handle.ts'
import type { OpenConnection } from '../intake/doors.ts'

const ROUNDS = 10
const WATCHED_AT_ONCE = 500

/** Where connections go once another process serves. */
export interface Mover {
  give(address: string, handle: TcpHandle): void
  /** Resolves when another one would go out at once; null: it would now. */
  room(): Promise<void> | null
}

/** The clients' connections of one worker: looked at in turn, given away one by one, waited for. */
export class Connections {
  readonly #open = new Set<OpenConnection>()
  /** Where the looking is among them. */
  #next = this.#open.values()
  /** Asked to be told when none is left. */
  #whenNone: (() => void)[] = []

  get size(): number {
    return this.#open.size
  }

  add(connection: OpenConnection): void {
    this.#open.add(connection)
  }

  remove(connection: OpenConnection): void {
    this.#open.delete(connection)
    if (this.#open.size === 0) for (const tell of this.#whenNone.splice(0)) tell()
  }

  /** Looks at all of them in ten calls, and at once while they are few: thousands of idle ones are to cost little. */
  watch(now: number): void {
    const turn = Math.max(WATCHED_AT_ONCE, this.#open.size / ROUNDS)
    for (let count = 0; count < turn; count++) {
      const { done, value } = this.#next.next()
      if (done === true) {
        this.#next = this.#open.values()
        return
      }
      value.watch(now)
    }
  }

  closeIdle(): void {
    for (const connection of this.#open) connection.closeIfIdle()
  }

  destroy(): void {
    for (const connection of this.#open) connection.destroy()
  }

  /** Has those that stand between two requests go to `mover`, as fast as it takes them, as long as `isWanted`. */
  async leave(mover: Mover, isWanted: () => boolean): Promise<void> {
    // Each is served here until its turn has come.
    for (const connection of this.#open) {
      const room = mover.room()
      if (room !== null) await room
      if (!isWanted()) return
      connection.leave()
    }
  }

  /** Resolves when none is open, or after `deadlineMs`. */
  async none(deadlineMs: number): Promise<void> {
    if (this.#open.size === 0) return
    await new Promise<void>(resolve => {
      this.#whenNone.push(resolve)
      setTimeout(resolve, deadlineMs).unref()
    })
  }
}
