import { errorMessage } from '../../../src/core/errors.ts'
import { checkRecording, type Checked } from './checked.ts'
import type { Fault, Finding } from './fault.ts'
import { missingTool } from './support/tools.ts'
import { Trial } from './support/trial.ts'

/** `held`: all was as expected. `broken`: something was not. `skipped`: it could not be done here. */
export type Verdict = 'held' | 'broken' | 'skipped'

/** One row of the result. */
export interface Row extends Finding {
  readonly id: string
  readonly name: string
  readonly injected: string
  readonly expected: string
  readonly verdict: Verdict
  /** What was not as expected; of a skipped one, why. */
  readonly why: readonly string[]
  readonly seconds: number
  /** What the checkers say of its recording; empty where it was skipped. */
  readonly checked: readonly Checked[]
}

/** Of the violations that one checker found. */
const SHOWN = 3
const USUAL_MS = 240_000
const LONG_MS = 3 * 3_600_000

/** Runs one fault on a system of its own, and judges it. Recordings go below `recordings`. */
export async function runFault(fault: Fault, options: { recordings: string; long: boolean }): Promise<Row> {
  const { id, name, injected, expected } = fault
  const what = { id, name, injected, expected }
  const missing = (fault.needs ?? []).flatMap(tool => missingTool(tool) ?? [])
  if (missing.length > 0) return { ...what, verdict: 'skipped', seen: '', why: missing, seconds: 0, checked: [] }
  const began = performance.now()
  const trial = new Trial(id, options.recordings, options.long)
  let finding: Finding = { seen: 'nothing: it did not come to its end' }
  try {
    finding = await inTime(fault.run(trial), options.long ? LONG_MS : USUAL_MS)
  } catch (error) {
    trial.unmet.push(errorMessage(error))
  }
  await trial.end()
  const checked = checkRecording(trial.recorder.file)
  const why = [
    ...trial.unmet,
    ...checked.flatMap(({ name, violations }) => violations.slice(0, SHOWN).map(text => `${name}: ${text}`)),
  ]
  const seconds = Math.round((performance.now() - began) / 100) / 10
  return { ...what, ...finding, verdict: why.length === 0 ? 'held' : 'broken', why, seconds, checked }
}

/** A run that hangs is a finding, and must not keep the others from theirs. */
async function inTime<T>(run: Promise<T>, limitMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it had not come to its end after ${limitMs / 1000} s`)), limitMs)
  })
  try {
    return await Promise.race([run, late])
  } finally {
    clearTimeout(timer)
  }
}
