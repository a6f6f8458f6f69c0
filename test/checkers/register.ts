import type { CallLine, EndedLine } from './lines.ts'
import { linearize, type Step } from './linearize.ts'
import type { History } from './recording.ts'
import type { SlotMap } from './slot-timeline.ts'
import type { Verdict, Violation } from './verdict.ts'

interface Running {
  readonly id: string
  readonly kind: CallLine['call']
  readonly done: boolean
}

/**
 * The service as its API promises it: two slots, and at most one swap, creation or deletion; a creation, too, in a slot that a
 * deletion has emptied and that waits for the proxies' word only.
 */
interface Register extends SlotMap {
  readonly running: readonly Running[]
}

/** Nothing is said of the slots: the first look at a round says it. */
type State = Register | 'unseen'

/** By what a refusal is right. */
const REASONS: Readonly<Record<string, (state: Register, call: CallLine) => boolean>> = {
  slot_empty: state => state.staging === null,
  slot_occupied: state => state.staging !== null,
  expectation_failed: (state, { expect }) => expect !== null && !sameSlots(state, expect),
  operation_in_progress: state => state.running.length > 0,
  not_running: state => state.running.length > 0,
}

/**
 * Is there for each round one order of the concurrent clients' calls in which each answer is right? A mutation takes effect
 * between its call and its answer, over kills of the controller too, since it is repeated under its key; what it sets going
 * comes to its end between then and when that was seen. A round with an unknown or a failed end is not judged.
 */
export function checkRegister(history: History): Verdict {
  const rounds = new Map<number, { calls: CallLine[]; ended: EndedLine[] }>()
  for (const line of history.lines('call', 'ended')) {
    const round = rounds.get(line.round) ?? { calls: [], ended: [] }
    rounds.set(line.round, round)
    if (line.type === 'call') round.calls.push(line)
    else round.ended.push(line)
  }
  const violations: Violation[] = []
  let judged = 0
  for (const [number, { calls, ended }] of rounds) {
    if (calls.some(({ outcome }) => outcome === 'unknown')) continue
    if (ended.some(({ outcome }) => outcome !== 'Succeeded' && outcome !== 'Cancelled')) continue
    judged += calls.length
    const result = linearize(stepsOf(calls, ended), 'unseen')
    if (result.ok) continue
    const text = `round ${number}: no order of its calls explains them all; ${result.explained} steps, then ${result.stuck.join(' ')}`
    violations.push({ at: Math.min(...calls.map(({ start }) => start)), text })
  }
  return { name: 'admin API as a register', judged, of: 'calls', violations }
}

function stepsOf(calls: readonly CallLine[], ended: readonly EndedLine[]): Step<State>[] {
  const ends = new Map(ended.map(line => [line.operation, line]))
  return calls.flatMap(call => {
    const { start: from, end: to, operation } = call
    const name = `${call.client} ${call.call} ${call.outcome} ${call.code ?? operation ?? JSON.stringify(call.seen)}`
    if (call.outcome === 'seen') return [{ name, from, to, apply: state => look(state, call) }]
    if (call.outcome === 'refused') return [{ name, from, to, apply: state => refuse(state, call) }]
    const end = ends.get(operation ?? '')
    if (operation === null || end === undefined)
      return [{ name: `${name} without an end`, from, to, apply: () => null }]
    return [
      { name, from, to, apply: state => accept(state, call, end) },
      ...(end.outcome === 'Cancelled' || call.call === 'create'
        ? []
        : [{ name: `effect of ${operation}`, from, to: end.end, apply: (state: State) => act(state, operation) }]),
      { name: `end of ${operation}`, from, to: end.end, apply: state => finish(state, operation, end) },
    ]
  })
}

function look(state: State, { seen }: CallLine): State | null {
  if (seen === null) return null
  // Rounds begin with nothing under way.
  if (state === 'unseen')
    return seen.operation === null ? { production: seen.production, staging: seen.staging, running: [] } : null
  const shown = seen.operation === null ? state.running.length === 0 : has(state, seen.operation)
  return sameSlots(state, seen) && shown ? state : null
}

function refuse(state: State, call: CallLine): State | null {
  if (state === 'unseen') return null
  // Whether instances are ready is no matter of the register.
  return call.code === 'not_ready' || REASONS[call.code ?? '']?.(state, call) === true ? state : null
}

function accept(state: State, { call, expect, operation }: CallLine, { deployment }: EndedLine): State | null {
  if (state === 'unseen' || operation === null) return null
  const began = { id: operation, kind: call, done: call === 'create' }
  if (call === 'create') {
    const free = state.staging === null && state.running.every(({ kind, done }) => kind === 'delete' && done)
    return free ? { ...state, staging: deployment, running: [...state.running, began] } : null
  }
  if (state.staging === null) return null
  // What starts may be deleted, which ends its creation.
  if (call === 'delete')
    return state.running.every(({ kind }) => kind === 'create') ? { ...state, running: [began] } : null
  const free = state.running.length === 0 && (expect === null || sameSlots(state, expect))
  return free ? { ...state, running: [began] } : null
}

function act(state: State, operation: string): State | null {
  if (state === 'unseen') return null
  const mine = state.running.find(({ id }) => id === operation)
  if (mine === undefined || mine.done) return null
  const running = state.running.map(each => (each === mine ? { ...each, done: true } : each))
  if (mine.kind === 'delete') return { ...state, staging: null, running }
  return { production: state.staging, staging: state.production, running }
}

function finish(state: State, operation: string, { outcome }: EndedLine): State | null {
  if (state === 'unseen') return null
  // Ended by the deletion of what it had begun to create.
  if (outcome === 'Cancelled') return has(state, operation) ? null : state
  const mine = state.running.find(({ id }) => id === operation)
  return mine?.done === true ? { ...state, running: state.running.filter(each => each !== mine) } : null
}

function has({ running }: Register, operation: string): boolean {
  return running.some(({ id }) => id === operation)
}

function sameSlots(a: SlotMap, b: SlotMap): boolean {
  return a.production === b.production && a.staging === b.staging
}
