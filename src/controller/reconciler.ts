import { EventEmitter } from 'node:events'
import type { Clock, Moment } from '../core/clock.ts'
import { VipswapError, errorMessage } from '../core/errors.ts'
import type { Logger } from '../core/logger.ts'
import type { Certificate } from '../model/certificate.ts'
import type { Command } from '../contracts/command.ts'
import { apply, type Applied } from '../fabric/apply.ts'
import type { Input, Observation } from '../fabric/input.ts'
import { projectWakeIn } from '../fabric/wake.ts'
import type { FabricEvent, FabricState } from '../fabric/state.ts'
import type { Store } from '../store/store.ts'
import { own } from '../core/own.ts'
import { inBatches, type Queued } from './batches.ts'
import { changesBetween, KEEP_EVENTS } from './journal.ts'

interface Notices {
  /** A state was committed, or something new was observed. */
  state: [FabricState]
  event: [FabricEvent]
  /** The journal could not be written: nothing more is accepted. */
  broken: [Error]
}

/** What comes with a command besides what it says. */
export interface Submitted {
  readonly idempotencyKey: string | null
  readonly certificates: readonly Certificate[]
  /** Who asks. */
  readonly by: string | null
  /** Throws if the command may not go ahead on this state; not asked where its key names an operation already. */
  readonly check: ((state: FabricState) => void) | null
}

/**
 * The loop around the pure core: inputs are folded in a batch per turn, what changed is journaled, and only then does
 * anyone hear of it (design rules 1 and 3).
 */
export class Reconciler extends EventEmitter<Notices> {
  readonly events: FabricEvent[]
  #state: FabricState
  #queue: Queued[] = []
  #running = false
  #broken: Error | null = null
  #wake: NodeJS.Timeout | null = null
  #lastTurn: Moment
  readonly #store: Store
  readonly #clock: Clock
  readonly #log: Logger

  constructor(options: { state: FabricState; events: FabricEvent[]; store: Store; clock: Clock; log: Logger }) {
    super()
    this.setMaxListeners(0)
    this.#state = options.state
    this.events = options.events
    this.#store = options.store
    this.#clock = options.clock
    this.#lastTurn = options.clock.now()
    this.#log = options.log
  }

  /** The committed state, with what was observed since. */
  get state(): FabricState {
    return this.#state
  }

  /** Why nothing is accepted any more; null: it is. */
  get broken(): Error | null {
    return this.#broken
  }

  /** Folds an input in with the next batch. */
  enqueue(input: Input): void {
    this.#push({ input, check: null, done: null, failed: null })
  }

  /** Resolves once the input's effect is durable. */
  settle(input: Input, check: Queued['check'] = null): Promise<Applied> {
    return new Promise((done, failed) => {
      this.#push({ input, check, done, failed })
    })
  }

  /** Resolves with the operation once the command is durable; rejects with the refusal. */
  async submit(command: Command, options: Partial<Submitted> = {}): Promise<string> {
    const { idempotencyKey: key = null, certificates = [], by = null, check } = options
    const known = (state: FabricState): boolean => key !== null && own(state.requests, key) !== undefined
    const input = { kind: 'command', command, idempotencyKey: key, certificates, by } as const
    const { refusal, operation } = await this.settle(input, state => {
      // A retry is answered as the first was, whatever has become true since.
      if (!known(state)) check?.(state)
    })
    if (refusal !== null) throw new VipswapError(refusal.code, refusal.message, { blockers: refusal.blockers })
    if (operation === null) throw new VipswapError('internal', `command ${command.kind} made no operation`)
    return operation
  }

  close(): void {
    if (this.#wake !== null) clearTimeout(this.#wake)
    this.#broken = new VipswapError('unreachable', 'the controller is stopping')
    this.#fail(this.#queue.splice(0), this.#broken)
  }

  #push(queued: Queued): void {
    if (this.#broken !== null) {
      queued.failed?.(this.#broken)
      return
    }
    this.#queue.push(queued)
    if (this.#running) return
    this.#running = true
    setImmediate(() => {
      void this.#run()
    })
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0 && this.#broken === null) {
      const batch = inBatches(this.#queue.splice(0))
      try {
        await this.#turn(batch)
      } catch (thrown) {
        const error = thrown instanceof Error ? thrown : new Error(errorMessage(thrown))
        this.#broken = error
        this.#log.fatal({ error: error.message, stack: error.stack }, 'a change could not be made durable')
        this.#fail([...batch, ...this.#queue.splice(0)], error)
        this.emit('broken', error)
      }
    }
    this.#running = false
    this.#schedule()
  }

  async #turn(batch: readonly Queued[]): Promise<void> {
    const before = this.#state
    const now = this.#clock.now()
    this.#lastTurn = now
    let next = before
    let changed = false
    const events: FabricEvent[] = []
    const results = batch.map(queued => {
      const applied = this.#apply(next, queued, now)
      if (applied === null) return null
      next = applied.state
      changed ||= applied.changed
      events.push(...applied.events)
      return applied
    })
    if (changed) await this.#store.transact(this.#store.sequence, changesBetween(before, next, events))
    this.#state = next
    this.events.push(...events)
    if (this.events.length > KEEP_EVENTS * 2) this.events.splice(0, this.events.length - KEEP_EVENTS)
    for (const [index, queued] of batch.entries()) {
      const applied = results[index]
      if (applied != null) queued.done?.(applied)
    }
    this.emit('state', next)
    for (const event of events) this.emit('event', event)
    // What this change made possible needs no further word from outside.
    if (changed) this.#queue.push({ input: { kind: 'tick' }, check: null, done: null, failed: null })
  }

  /** A defect in the rules costs the one input that met it, never the state or the others. */
  #apply(state: FabricState, { input, check, failed }: Queued, now: Moment): Applied | null {
    try {
      check?.(state)
    } catch (thrown) {
      failed?.(thrown instanceof Error ? thrown : new Error(errorMessage(thrown)))
      return null
    }
    try {
      return apply(state, input, now)
    } catch (thrown) {
      if (input.kind === 'observed') return this.#oneByOne(state, input.batch, now)
      const error = thrown instanceof Error ? thrown : new Error(errorMessage(thrown))
      this.#log.error({ input: input.kind, error: error.message, stack: error.stack }, 'the rules failed on an input')
      failed?.(new VipswapError('internal', `a defect: ${error.message}`, {}, { cause: error }))
      return null
    }
  }

  /** The observations of a batch in which one met a defect. */
  #oneByOne(state: FabricState, batch: readonly Observation[], now: Moment): Applied {
    let all: Applied = { state, changed: false, events: [], operation: null, refusal: null }
    for (const input of batch) {
      const one = this.#apply(all.state, { input, check: null, done: null, failed: null }, now)
      if (one === null) continue
      all = { ...one, changed: all.changed || one.changed, events: [...all.events, ...one.events] }
    }
    return all
  }

  #fail(queued: readonly Queued[], error: Error): void {
    for (const { failed } of queued) failed?.(error)
  }

  #schedule(): void {
    if (this.#wake !== null) clearTimeout(this.#wake)
    this.#wake = null
    if (this.#broken !== null) return
    // From the last turn on: what fell due since then has not been looked at.
    const dueMs = projectWakeIn(this.#state, this.#lastTurn)
    if (dueMs === null) return
    const leftMs = Math.max(0, dueMs - (this.#clock.now().mono - this.#lastTurn.mono))
    this.#wake = setTimeout(() => this.enqueue({ kind: 'tick' }), Math.min(leftMs + 1, 60_000))
  }
}
