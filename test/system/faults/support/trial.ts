import { join } from 'node:path'
import { errorMessage } from '../../../../src/core/errors.ts'
import { tempDir } from '../../../support/temp.ts'
import { startSystem, type Teardown } from '../../support/system.ts'
import { Recorder, timeNow } from '../history/recorder.ts'
import { Subject } from './subject.ts'

export type SystemOptions = Omit<Parameters<typeof startSystem>[1] & object, 'data'> & { readonly data?: string }

/** One run of one fault: its folder, its recording, and what turned out otherwise than expected. */
export class Trial implements Teardown {
  readonly recorder: Recorder
  /** What was expected and not so. */
  readonly unmet: string[] = []
  /** Long forms of what takes long. */
  readonly long: boolean
  readonly #ends: (() => unknown)[] = []

  constructor(name: string, recordings: string, long: boolean) {
    this.recorder = new Recorder(join(recordings, `${name}.jsonl`), name)
    this.long = long
  }

  teardown(run: () => unknown): void {
    this.#ends.push(run)
  }

  /** A fresh folder, with a short path. */
  folder(): string {
    return tempDir(this)
  }

  /** `what` should be so. */
  check(what: string, holds: boolean): void {
    if (!holds) this.unmet.push(what)
  }

  injected(what: string): void {
    this.recorder.add({ type: 'injected', at: timeNow(), what })
  }

  /** Starts the real system, `vipswap up`, with nothing deployed. */
  async subject(options: SystemOptions = {}): Promise<Subject> {
    const system = await startSystem(this, { ...options, data: options.data ?? join(this.folder(), 'd') })
    return new Subject(this, system)
  }

  /** Ends all that the run began, last first. What is left running counts as unmet. */
  async end(): Promise<void> {
    for (const end of this.#ends.toReversed()) {
      try {
        await end()
      } catch (error) {
        this.unmet.push(errorMessage(error))
      }
    }
    this.recorder.flush()
  }
}
