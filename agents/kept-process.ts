import type { ChildProcess } from 'node:child_process'
import { readProcess } from '../src/core/process-identity.ts'
import { readExit, type Exit } from './keeper.ts'
import type { ReloadSignal } from '../src/model/definition.ts'
import { endLeftovers, NO_LEFTOVERS, type Leftovers } from './leftovers.ts'
import { ProcessEye } from './process-eye.ts'
import { groupMembers, signalGroup } from './process-table.ts'
import { Round } from './round.ts'

/** Adopted ones are nobody's children here: their end makes no event. */
const adopted = new Round(100)
const GROUP_POLL_MS = 15
/** Members of a group whose main process has ended get this long after SIGTERM. */
const LEFTOVER_MS = 2000

export interface KeptIdentity {
  readonly pid: number
  readonly startTime: string
  readonly exitFile: string
}

export interface Ended {
  readonly exit: Exit
  /** It had to be killed because it did not stop in time. */
  readonly killed: boolean
}

/**
 * One keeper's process group, started by this agent or adopted from an earlier one. `ended` settles when no non-zombie
 * member of the group is left, nor of what left the group. Once the keeper is gone, what lingers is ended too: nothing of
 * an instance stays.
 */
export class KeptProcess {
  readonly pid: number
  readonly startTime: string
  /** Settles when the main process has ended, before what it left behind has. */
  readonly ending: Promise<void>
  readonly ended: Promise<Ended>
  readonly #exitFile: string
  #settle: (ended: Ended) => void = () => {}
  #beginEnding: () => void = () => {}
  #isOver = false
  #keeperGone = false
  #sweeping = false
  readonly #leftovers: Leftovers
  #killed = false
  #stopLooking: () => void = () => {}
  #poll: NodeJS.Timeout | undefined
  #kill: NodeJS.Timeout | undefined

  private constructor(identity: KeptIdentity, leftovers: Leftovers) {
    this.#leftovers = leftovers
    this.pid = identity.pid
    this.startTime = identity.startTime
    this.#exitFile = identity.exitFile
    this.ended = new Promise(resolve => {
      this.#settle = resolve
    })
    this.ending = new Promise(resolve => {
      this.#beginEnding = resolve
    })
  }

  /** Watches a keeper this process started. */
  static ofChild(identity: KeptIdentity, child: ChildProcess, leftovers = NO_LEFTOVERS): KeptProcess {
    const kept = new KeptProcess(identity, leftovers)
    if (child.exitCode !== null || child.signalCode !== null) kept.#onKeeperGone()
    else child.once('exit', () => kept.#onKeeperGone())
    return kept
  }

  /** Watches a keeper an earlier agent of this boot started; it may be gone already. */
  static adopt(identity: KeptIdentity, leftovers = NO_LEFTOVERS): KeptProcess {
    const kept = new KeptProcess(identity, leftovers)
    const eye = new ProcessEye(kept.pid, kept.startTime)
    const look = (): void => {
      if (!eye.isAlive()) kept.#onKeeperGone()
    }
    const leave = adopted.join(look)
    kept.#stopLooking = () => {
      leave()
      eye.close()
    }
    look()
    return kept
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** Its main process has ended; what is left of the group is being ended. */
  get isEnding(): boolean {
    return this.#keeperGone
  }

  /** SIGTERM to the whole group, SIGKILL after `timeoutMs`; settles as `ended` does. */
  async stop(timeoutMs: number): Promise<Ended> {
    if (!this.#isOver) {
      this.#signal('SIGTERM')
      this.#killAfter(timeoutMs)
    }
    return this.ended
  }

  /** Tells the whole group something; its keeper outlives these signals. */
  tell(signal: ReloadSignal): void {
    if (!this.#isOver && !this.#keeperGone) this.#signal(signal)
  }

  #killAfter(timeoutMs: number): void {
    if (this.#isOver || this.#kill !== undefined) return
    this.#kill = setTimeout(() => {
      this.#killed = this.#signal('SIGKILL')
    }, timeoutMs)
  }

  /** Only while the group's number means ours: a stranger that has it by now shows that ours is over. */
  #signal(signal: NodeJS.Signals): boolean {
    if (!isStranger(this.pid, this.startTime)) return signalGroup(this.pid, signal)
    this.#sweep()
    return false
  }

  #onKeeperGone(): void {
    if (this.#keeperGone || this.#isOver) return
    this.#keeperGone = true
    this.#stopLooking()
    if (this.#isEmpty()) {
      this.#sweep()
      return
    }
    this.#beginEnding()
    if (this.#signal('SIGTERM')) this.#killAfter(LEFTOVER_MS)
    if (this.#sweeping) return
    this.#poll = setInterval(() => {
      if (this.#isEmpty()) this.#sweep()
    }, GROUP_POLL_MS)
  }

  #isEmpty(): boolean {
    return groupMembers(this.pid).length === 0 || isStranger(this.pid, this.startTime)
  }

  /** The group is over; what left it is looked for, and ended. */
  #sweep(): void {
    if (this.#sweeping) return
    this.#sweeping = true
    this.#stopLooking()
    clearInterval(this.#poll)
    clearTimeout(this.#kill)
    void endLeftovers(this.#leftovers, () => this.#beginEnding()).finally(() => this.#finish())
  }

  #finish(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#beginEnding()
    const lost: Exit = this.#killed
      ? { code: null, signal: 'SIGKILL', text: 'killed by SIGKILL' }
      : { code: null, signal: null, text: 'gone without a status (its whole group was killed)' }
    this.#settle({ exit: readExit(this.#exitFile) ?? lost, killed: this.#killed })
  }
}

/**
 * A process has the pid but another start time: the group of that number is not ours and must not be signalled. While a
 * member of a group is left, the system gives its number to no new process.
 */
function isStranger(pid: number, startTime: string): boolean {
  const row = readProcess(pid)
  return row !== null && row.startTime !== startTime
}
