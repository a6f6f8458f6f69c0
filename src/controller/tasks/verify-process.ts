import { fork, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { TaskReport, TaskWork } from '../../contracts/task.ts'
import type { FromVerifier } from './verifier/messages.ts'

const MAIN = fileURLToPath(new URL('./verifier/main.js', import.meta.url))

/** From the end of one to the start of the next. */
const AGAIN_MS = 1000

/**
 * Probe traffic in a process of its own, so that it does not disturb the controller and ends with it. One that dies is
 * started again: it has lost nothing but its count.
 */
export class VerifyProcess {
  #child: ChildProcess | null = null
  #work: Extract<TaskWork, { kind: 'verify' }>
  readonly #report: (report: TaskReport) => void

  constructor(work: Extract<TaskWork, { kind: 'verify' }>, report: (report: TaskReport) => void) {
    this.#work = work
    this.#report = report
    this.#start()
  }

  /** The traffic goes on, and counts anew for another phase. */
  update(work: Extract<TaskWork, { kind: 'verify' }>): void {
    if (JSON.stringify(work) === JSON.stringify(this.#work)) return
    this.#work = work
    this.#child?.send({ type: 'work', work })
  }

  close(): void {
    const child = this.#child
    this.#child = null
    child?.kill('SIGKILL')
  }

  #start(): void {
    // Nothing of the controller's environment, nor of its loaders.
    const child = fork(MAIN, { execArgv: [], env: {}, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    this.#child = child
    child.on('message', message => {
      const said = message as FromVerifier // our own process's words
      if (said.type === 'lost') this.#report({ kind: 'done', ok: false, detail: said.detail })
      else this.#report({ kind: 'reached', phase: said.phase, sent: said.sent })
    })
    const again = (): void => {
      setTimeout(() => this.#child === child && this.#start(), AGAIN_MS).unref()
    }
    child.on('error', () => {
      // It could not be started; else its end follows.
      if (child.pid === undefined) again()
    })
    child.on('exit', again)
    child.send({ type: 'work', work: this.#work })
  }
}
