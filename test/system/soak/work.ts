import { errorMessage } from '../../../src/core/errors.ts'
import { SLOTS, type Slot } from '../../../src/model/slot.ts'
import type { OperationStatus } from '../../../src/model/states.ts'
import { Prng } from '../../simulation/prng.ts'
import type { Verdict, Violation } from '../../checkers/verdict.ts'
import { timeNow, type Recorder } from '../faults/history/recorder.ts'
import type { OperationLine } from '../faults/history/line.ts'
import type { PackageOptions } from '../faults/support/package.ts'
import { SERVICE } from '../faults/support/package.ts'
import type { Subject } from '../faults/support/subject.ts'
import type { Accepted } from '../../../src/contracts/api/operation.ts'

/** What is done to the system in a run: each change of it, and what came otherwise than it should in planned work. */
export class Work {
  readonly subject: Subject
  readonly dice: Prng
  /** With kills an operation may end any way that its rules allow; what it did is judged by the checkers alone. */
  readonly disturbed: boolean
  /** Of each deployment, each in a domain of its own, where nothing was scaled. */
  readonly instances: number
  /** How often what was done, by its name and its end. */
  readonly done: Record<string, number> = {}
  readonly #recorder: Recorder
  readonly #violations: Violation[] = []
  #versions = 0
  #operations = 0

  constructor(
    subject: Subject,
    recorder: Recorder,
    { seed, disturbed, instances }: { seed: number; disturbed: boolean; instances: number },
  ) {
    this.subject = subject
    this.#recorder = recorder
    this.dice = new Prng(seed)
    this.disturbed = disturbed
    this.instances = instances
  }

  /** The next version of the role: always above those before. */
  next(settings: Readonly<Record<string, string>> = {}): PackageOptions {
    this.#versions += 1
    return {
      version: `${this.#versions}.0.0`,
      instances: this.instances,
      domains: this.instances,
      libraries: ['ws'],
      settings: { STEP: '0', ...settings },
    }
  }

  /** One change, to its end, which should be `expected`; its receipt must be whole and count nothing broken. */
  async operate(
    call: string,
    send: (idempotencyKey: string) => Promise<Accepted>,
    expected: OperationStatus = 'Succeeded',
  ): Promise<OperationLine> {
    const line = await this.subject.operate(call, send)
    this.#operations += 1
    this.#note(line)
    if (this.disturbed) return line
    if (line.outcome !== expected)
      this.fail(`${call} ended ${line.outcome} (${line.code ?? 'no code'}), not ${expected}`)
    if (line.id !== null) await this.#receipt(call, line.id)
    return line
  }

  /** What was done by other ways than the API. */
  record(line: OperationLine): void {
    this.#recorder.add(line)
    this.#note(line)
  }

  #note({ call, outcome }: OperationLine): void {
    this.count(`${call.replaceAll(/\d+/g, 'N')}: ${outcome}`)
  }

  /** Counts what is no operation of the API. */
  count(what: string): void {
    this.done[what] = (this.done[what] ?? 0) + 1
  }

  fail(text: string): void {
    this.#violations.push({ at: timeNow(), text })
  }

  /** Either slot. */
  slot(): Slot {
    return this.dice.pick(SLOTS)
  }

  verdict(): Verdict {
    const name = this.disturbed
      ? 'it comes to rest after each change'
      : 'planned work ends as planned, nothing broken by its receipts'
    return { name, judged: this.#operations, of: 'operations', violations: this.#violations }
  }

  async #receipt(call: string, id: string): Promise<void> {
    try {
      const { totals, complete, note } = await this.subject.client.receipt(id)
      if (totals.broken > 0)
        this.fail(`${call} (${id}) broke ${totals.broken} by its receipt: ${JSON.stringify(totals.brokenBy)}`)
      if (!complete) this.fail(`the receipt of ${call} (${id}) is not complete: ${note}`)
    } catch (error) {
      this.fail(`the receipt of ${call} (${id}) could not be read: ${errorMessage(error)}`)
    }
  }

  /** Both slots' deployments, by id. */
  async slots(): Promise<{ production: string | null; staging: string | null }> {
    const { slots } = await this.subject.client.service(SERVICE)
    return { production: slots.production?.id ?? null, staging: slots.staging?.id ?? null }
  }
}
