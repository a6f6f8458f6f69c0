import type { RestartReason } from '../src/contracts/agent-metrics.ts'
import type { AssignedInstance, InstanceObservation, ObservedState } from '../src/contracts/assignment.ts'
import { VipswapError, errorMessage } from '../src/core/errors.ts'
import { accountOf } from './account.ts'
import type { InstanceFolders } from './folders.ts'
import type { Ended, KeptProcess } from './kept-process.ts'
import { launch, type InstanceContext } from './launch.ts'
import { endLeftovers, leftoversOf } from './leftovers.ts'
import { adopt } from './adoption.ts'
import { appendNote } from './logs.ts'
import type { Health, ProbeTrack } from './prober.ts'
import type { ProbeResult } from './probe.ts'
import { decideStep, reasonToStop, type StopReason } from './reconciler.ts'
import { decideRestart, FRESH_RESTARTS, type RestartState } from './restart-policy.ts'
import { writeRecord, type RunRecord } from './run-record.ts'
import { hasNews, writeTold } from './told.ts'
import { Watch } from './watch.ts'
import { Bell } from './bell.ts'

/** Between attempts to get a package from a controller that does not answer. */
const UNREACHABLE_MS = 500

const STOP_WORDS: Record<StopReason, string> = {
  'node-stopping': 'the node is stopping',
  removed: 'no longer assigned to this node',
  asked: 'asked to stop',
  replaced: 'a newer incarnation is due',
  'start-timeout': 'not ready within startTimeout',
}

/** Runs one instance: one loop that takes the next step towards what is wanted, woken by whatever changes. */
export class Instance {
  readonly key: string
  readonly folders: InstanceFolders
  readonly #context: InstanceContext
  readonly #bell = new Bell()
  /** undefined until an assignment was heard, null when it does not name this instance. */
  #wanted: AssignedInstance | null | undefined
  #stopAll = false
  #running: Watch | null = null
  #launching: { readonly incarnation: number; readonly abort: AbortController } | null = null
  #record: RunRecord | null
  #restarts: RestartState = FRESH_RESTARTS
  #notBefore = 0
  /** Shown instead of what it is doing until it is ready again. */
  #sticky: 'failed' | 'cycling' | null = null
  #state: ObservedState = 'stopped'
  #since: number
  #detail = ''
  /** How it ended last, while it is not ready again. */
  #lastEnd: string | null = null
  #atRest = false
  #storage: Readonly<Record<string, number>> = {}

  constructor(key: string, folders: InstanceFolders, context: InstanceContext, record: RunRecord | null) {
    this.key = key
    this.folders = folders
    this.#context = context
    this.#record = record
    this.#since = context.clock.now().wall
  }

  /** The package it runs or should run. */
  get packages(): string[] {
    return [this.#wanted, this.#record?.assigned].flatMap(assigned => (assigned ? [assigned.spec.package] : []))
  }

  /** Begins the loop; settles when the instance was removed. Takes over what an earlier agent left running. */
  async run(): Promise<void> {
    await this.#takeOver()
    for (;;) {
      if (this.#running?.ended) this.#onEnded(this.#running, this.#running.ended)
      if (this.#news !== null) {
        await this.#tell(this.#news)
        continue
      }
      const step = decideStep({
        wanted: this.#wanted,
        running: this.#situation(),
        stopAll: this.#stopAll,
        delayMs: this.#notBefore - this.#context.clock.now().mono,
      })
      switch (step.kind) {
        case 'stop':
          await this.#stop(step.reason)
          break
        case 'start':
          await this.#start()
          break
        case 'wait':
          await this.#bell.wait(step.ms)
          break
        case 'rest':
          if (step.stopped) this.#show('stopped', this.#state === 'stopped' ? this.#detail : 'stopped')
          this.#atRest = true
          this.#context.onChange()
          await this.#bell.wait()
          this.#atRest = false
          break
        case 'remove':
          await this.#endLeftovers()
          await this.folders.remove(this.#context.trash).catch((error: unknown) => this.#warn(error))
          this.#record = null
          if (this.#wanted === null) return
      }
    }
  }

  /** What should be, from now on; null: nothing, and its folders are to go. */
  want(wanted: AssignedInstance | null): void {
    const before = this.#wanted?.incarnation ?? this.#record?.assigned.incarnation
    if (wanted !== null && before !== undefined && wanted.incarnation > before) {
      // A planned start owes nothing to earlier deaths.
      this.#restarts = FRESH_RESTARTS
      this.#notBefore = 0
      this.#sticky = null
      this.#lastEnd = null
    }
    this.#wanted = wanted
    this.#reconsider()
  }

  /** The node stops: ends the process and starts none. `isStopped` says when. */
  stopAll(): void {
    this.#stopAll = true
    this.#reconsider()
  }

  get isStopped(): boolean {
    return this.#running === null && this.#launching === null && this.#atRest
  }

  observe(): InstanceObservation | null {
    const subject = this.#running || !this.#wanted ? (this.#record?.assigned ?? this.#wanted) : this.#wanted
    if (!subject) return null
    const attempt = this.#record?.assigned.incarnation === subject.incarnation ? this.#record.attempt : 0
    const busy = this.#state === 'preparing' || this.#state === 'starting' || this.#state === 'backoff'
    return {
      key: this.key,
      incarnation: subject.incarnation,
      ...(subject.spec.id === undefined ? {} : { spec: subject.spec.id }),
      attempt,
      state: busy && this.#sticky !== null ? this.#sticky : this.#state,
      version: subject.spec.version,
      host: this.#context.advertise,
      ports: this.#running === null ? {} : (this.#record?.ports ?? {}),
      pid: this.#running?.process.pid ?? null,
      restarts: Math.max(0, attempt - 1),
      ...(Object.keys(this.#storage).length === 0 ? {} : { storage: this.#storage }),
      since: this.#since,
      detail: this.#detail,
    }
  }

  /** Measures its local storage; what has changed is reported. */
  async measureStorage(): Promise<void> {
    const names = (this.#wanted ?? this.#record?.assigned)?.spec.localStorage.map(({ name }) => name) ?? []
    if (names.length === 0) return
    const sizes = await this.folders.storageSizes(names)
    if (JSON.stringify(sizes) === JSON.stringify(this.#storage)) return
    this.#storage = sizes
    this.#context.onChange()
  }

  async #takeOver(): Promise<void> {
    const record = this.#record
    if (record === null) return
    if (record.phase === 'startup') this.#state = 'preparing'
    const leftovers = leftoversOf(this.#context, this.folders.root, record.token)
    const found = await adopt(record, this.folders, this.#context.clock.now().bootId, leftovers)
    if (found.kind === 'none') return
    if (found.kind === 'lost') {
      this.#onDeath(found.text, 0, 'crashed')
      return
    }
    this.note(`taken over by a new agent, pid ${found.process.pid}`)
    if (found.process.isEnding) this.#state = 'backoff'
    else {
      this.#state = record.health
      this.#since = record.since
    }
    this.#watch(found.process, record.assigned, record.health, record.assigned.spec.startTimeoutMs)
    // What ended while no agent looked is settled before anything is said about it.
    if (found.process.isEnding) await found.process.ended
  }

  async #start(): Promise<void> {
    const wanted = this.#wanted
    if (!wanted) return
    const abort = new AbortController()
    const { incarnation } = wanted
    const earlier = this.#record?.assigned.incarnation === incarnation ? this.#record.attempt : 0
    this.#launching = { incarnation, abort }
    this.#show('preparing', 'fetching the package, laying out folders, startup commands')
    try {
      await this.folders.ensureBase()
      await this.#endLeftovers()
      const launched = await launch(this.#context, {
        assigned: wanted,
        attempt: earlier + 1,
        folders: this.folders,
        signal: abort.signal,
        onRecord: record => {
          this.#record = record
        },
      })
      this.#context.metrics.started()
      this.note(`started attempt ${earlier + 1} of incarnation ${incarnation}, pid ${launched.process.pid}`)
      this.#show('starting', 'started, not probed yet')
      const startMs = wanted.spec.startTimeoutMs - (this.#context.clock.now().mono - launched.begunAt)
      this.#watch(launched.process, wanted, 'starting', startMs)
      await this.folders.removeOld(incarnation, this.#record?.token ?? '')
    } catch (error) {
      if (this.#running !== null) this.#warn(error)
      else if (abort.signal.aborted) this.#endRecord()
      else if (error instanceof VipswapError && error.code === 'unreachable') {
        // Nothing is wrong with the instance: its package cannot be had just now.
        this.#notBefore = this.#context.clock.now().mono + UNREACHABLE_MS
        this.#show('preparing', error.message)
      } else this.#onDeath(errorMessage(error), 0, 'start-failed')
    } finally {
      this.#launching = null
    }
  }

  #watch(process: KeptProcess, assigned: AssignedInstance, health: Health, startMs: number): void {
    this.#running = new Watch({
      process,
      assigned,
      health,
      startMs,
      host: this.#context.host,
      ports: this.#record?.ports ?? {},
      onProbe: (track, result) => this.#onProbe(track, result),
      onEnding: () => this.#show('backoff', 'its main process has ended; what it started is being ended'),
      onChange: () => this.#bell.ring(),
    })
  }

  #onProbe(track: ProbeTrack, result: ProbeResult): void {
    this.#context.metrics.probed(result.ok)
    const record = this.#record
    if (record !== null && record.health !== track.health) {
      const moment = this.#context.clock.now()
      const readySince = track.health === 'ready' ? (record.readySince ?? moment.mono) : record.readySince
      this.#writeRecord({ ...record, health: track.health, since: moment.wall, readySince })
      this.note(track.health === 'ready' ? `ready (${result.detail})` : `probe failed: ${result.detail}`)
    }
    if (track.health === 'ready') {
      this.#sticky = null
      this.#lastEnd = null
    }
    const before = this.#lastEnd === null ? '' : `; before that ${this.#lastEnd}`
    const detail = result.ok ? result.detail : `probe failed: ${result.detail}${before}`
    this.#show(track.health, detail, this.#record?.since)
  }

  /** What the running process is to be told of: other settings or peers for the same incarnation. */
  get #news(): AssignedInstance | null {
    const { record, wanted } = { record: this.#record, wanted: this.#wanted }
    if (this.#running === null || this.#stopAll || !wanted || record?.phase !== 'run') return null
    return hasNews(record.assigned, wanted) ? wanted : null
  }

  /** The files, then the signal, then the record: an agent that dies between them tells it again. */
  async #tell(wanted: AssignedInstance): Promise<void> {
    const before = this.#record
    if (before === null) return
    try {
      const { user } = wanted.spec
      const account = user === undefined ? null : accountOf(user)
      await writeTold(this.folders, wanted, this.#context.confinement, account)
    } catch (error) {
      this.#warn(error)
      await this.#bell.wait(UNREACHABLE_MS)
      return
    }
    const { settingsReload } = wanted.spec
    if (settingsReload !== undefined) this.#running?.process.tell(settingsReload)
    this.note(`told of other settings or peers${settingsReload === undefined ? '' : ` (${settingsReload})`}`)
    // Its health may have changed meanwhile.
    this.#writeRecord({ ...(this.#record ?? before), assigned: wanted })
    this.#context.onChange()
  }

  async #stop(reason: StopReason): Promise<void> {
    const running = this.#running
    if (running === null) return
    running.close()
    this.#show('stopping', STOP_WORDS[reason])
    this.note(`stopping: ${STOP_WORDS[reason]}`)
    const timeoutMs = (this.#wanted ?? this.#record?.assigned)?.spec.stopTimeoutMs ?? 0
    const { exit, killed } = await running.process.stop(timeoutMs)
    const text = killed ? `${exit.text}, did not stop within stopTimeout` : exit.text
    this.#running = null
    this.note(text)
    if (reason === 'start-timeout') this.#onDeath(`${STOP_WORDS[reason]}; ${text}`, 0, 'start-timeout')
    else {
      this.#endRecord()
      this.#show('stopped', text)
    }
  }

  #onEnded(running: Watch, { exit }: Ended): void {
    running.close()
    this.#running = null
    this.note(exit.text)
    const since = this.#record?.readySince
    this.#onDeath(exit.text, since ? this.#context.clock.now().mono - since : 0, 'crashed')
  }

  /** It could not be prepared, did not get ready in time, or ended by itself. */
  #onDeath(text: string, readyForMs: number, how: RestartReason): void {
    this.#context.metrics.died(how)
    const now = this.#context.clock.now().mono
    const decision = decideRestart(this.#restarts, { now, readyForMs, random: Math.random() })
    this.#restarts = decision.state
    this.#notBefore = now + decision.delayMs
    if (how !== 'crashed') this.#sticky = 'failed'
    else if (decision.cycling) this.#sticky = 'cycling'
    this.#endRecord()
    this.#lastEnd = text
    const again = `starts again in ${Math.round(decision.delayMs)} ms`
    if (how !== 'crashed') this.note(text)
    this.#show('backoff', `${text}; ${again}`)
  }

  /** Nothing of it runs by its record; what a session of its own hid from an earlier agent is ended all the same. */
  async #endLeftovers(): Promise<void> {
    const leftovers = leftoversOf(this.#context, this.folders.root, this.#record?.token ?? 'none')
    await endLeftovers(leftovers, pids => this.note(`ended processes that were left: ${pids.join(', ')}`))
  }

  #endRecord(): void {
    if (this.#record !== null) this.#writeRecord({ ...this.#record, phase: 'ended', pid: null, health: 'starting' })
  }

  #writeRecord(record: RunRecord): void {
    this.#record = record
    try {
      writeRecord(this.folders.record, record)
    } catch (error) {
      // A full disk must not stop what runs; the older record still names the process.
      this.#warn(error)
    }
  }

  #situation(): { incarnation: number; expired: boolean } | null {
    if (this.#running === null || this.#record === null) return null
    return { incarnation: this.#record.assigned.incarnation, expired: this.#running.expired }
  }

  #reconsider(): void {
    const launching = this.#launching
    if (launching !== null) {
      const running = { incarnation: launching.incarnation, expired: false }
      if (reasonToStop({ wanted: this.#wanted, stopAll: this.#stopAll, running }) !== null) launching.abort.abort()
    }
    this.#bell.ring()
  }

  #show(state: ObservedState, detail: string, since = this.#context.clock.now().wall): void {
    if (state === this.#state && detail === this.#detail) return
    if (state !== this.#state) this.#since = since
    this.#state = state
    this.#detail = detail
    this.#context.onChange()
  }

  /** A line of the agent's own in the instance's log. */
  note(text: string): void {
    appendNote(this.folders.log, text)
    const { operation } = this.#wanted ?? this.#record?.assigned ?? {}
    this.#context.log.info({ instance: this.key, ...(operation === undefined ? {} : { operation }) }, text)
  }

  #warn(error: unknown): void {
    this.#context.log.warn({ instance: this.key, error: errorMessage(error) }, 'trouble with an instance')
  }
}
