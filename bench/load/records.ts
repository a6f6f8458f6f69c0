export const KINDS = ['get', 'post', 'chunked', 'slow', 'ws'] as const
export type Kind = (typeof KINDS)[number]

/** How the request was made: over a kept connection, a new one each time, or at its appointed time. */
const LOOPS = ['keep-alive', 'one-shot', 'open'] as const
export type Loop = (typeof LOOPS)[number]

/**
 * `ok`; `status`: another status than expected; `refused`: no connection; `reset`: the connection went before any byte
 * of an answer; `short`: it went within one; `corrupt`: a whole answer, but not the right one; `timeout`.
 */
export const OUTCOMES = ['ok', 'status', 'refused', 'reset', 'timeout', 'short', 'corrupt'] as const
export type Outcome = (typeof OUTCOMES)[number]

/** One request. Times are `now()`; `headAt` is 0 where no head of an answer came. */
export interface RequestRecord {
  readonly vip: string
  readonly kind: Kind
  readonly loop: Loop
  readonly outcome: Outcome
  readonly status: number
  readonly version: string
  readonly deployment: string
  /** When it was due; latency counts from here. */
  readonly startAt: number
  /** Just before its first byte was given to the system. */
  readonly sentAt: number
  readonly headAt: number
  readonly doneAt: number
}

/** What crosses threads: columns, and the names that the last three small columns index. */
export interface RecordColumns {
  readonly length: number
  readonly names: readonly string[]
  readonly times: Float64Array<ArrayBuffer>
  readonly facts: Uint16Array<ArrayBuffer>
}

const TIMES = 4
const FACTS = 7

/** Some hundred thousand requests in 46 bytes each, without an object apiece. */
export class Records {
  #length = 0
  #times = new Float64Array(TIMES * 1024)
  #facts = new Uint16Array(FACTS * 1024)
  readonly #names: string[] = []
  readonly #indexes = new Map<string, number>()

  get length(): number {
    return this.#length
  }

  add(record: RequestRecord): void {
    if (this.#times.length < (this.#length + 1) * TIMES) this.#grow()
    this.#times.set([record.startAt, record.sentAt, record.headAt, record.doneAt], this.#length * TIMES)
    this.#facts.set(
      [
        KINDS.indexOf(record.kind),
        LOOPS.indexOf(record.loop),
        OUTCOMES.indexOf(record.outcome),
        record.status,
        this.#index(record.vip),
        this.#index(record.version),
        this.#index(record.deployment),
      ],
      this.#length * FACTS,
    )
    this.#length += 1
  }

  /** Takes in what another thread recorded. */
  addColumns(columns: RecordColumns): void {
    for (let i = 0; i < columns.length; i += 1) this.add(recordAt(columns, i))
  }

  at(index: number): RequestRecord {
    return recordAt(this.columns(), index)
  }

  /** A view, not a copy: good until the next `add`. */
  columns(): RecordColumns {
    return { length: this.#length, names: this.#names, times: this.#times, facts: this.#facts }
  }

  *[Symbol.iterator](): Generator<RequestRecord> {
    const columns = this.columns()
    for (let i = 0; i < columns.length; i += 1) yield recordAt(columns, i)
  }

  #grow(): void {
    const times = new Float64Array(this.#times.length * 2)
    const facts = new Uint16Array(this.#facts.length * 2)
    times.set(this.#times)
    facts.set(this.#facts)
    this.#times = times
    this.#facts = facts
  }

  #index(name: string): number {
    const known = this.#indexes.get(name)
    if (known !== undefined) return known
    this.#indexes.set(name, this.#names.length)
    return this.#names.push(name) - 1
  }
}

function recordAt({ names, times, facts }: RecordColumns, index: number): RequestRecord {
  const time = (column: number): number => times[index * TIMES + column] ?? 0
  const fact = (column: number): number => facts[index * FACTS + column] ?? 0
  return {
    kind: KINDS[fact(0)] ?? 'get',
    loop: LOOPS[fact(1)] ?? 'open',
    outcome: OUTCOMES[fact(2)] ?? 'corrupt',
    status: fact(3),
    vip: names[fact(4)] ?? '',
    version: names[fact(5)] ?? '',
    deployment: names[fact(6)] ?? '',
    startAt: time(0),
    sentAt: time(1),
    headAt: time(2),
    doneAt: time(3),
  }
}
