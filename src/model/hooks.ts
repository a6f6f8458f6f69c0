import { Type, type Static } from 'typebox'
import { parseDuration } from '../core/duration.ts'
import { Duration, closed } from './common.ts'
import type { Findings } from './findings.ts'

/** Moments of a swap or a walk at which something outside may be asked or told. */
export const HOOK_EVENTS = [
  'pre-swap',
  'post-swap',
  'pre-domain',
  'post-domain',
  'confirm-domain',
  'on-rollback',
] as const
export type HookEvent = (typeof HOOK_EVENTS)[number]

interface HookClock {
  readonly timeoutMs: number
  /** `confirm-domain` only: from a "not yet" to the next question. */
  readonly intervalMs: number
}

/** One command without a shell, or one HTTP call. */
export type Hook =
  | ({ readonly kind: 'command'; readonly command: readonly string[] } & HookClock)
  | ({ readonly kind: 'url'; readonly url: string; readonly method: 'GET' | 'POST' | 'PUT' } & HookClock)

export type Hooks = Readonly<Partial<Record<HookEvent, Hook>>>

const HookSource = {
  command: Type.Optional(
    Type.Array(Type.String({ minLength: 1 }), {
      minItems: 1,
      description: 'A program and its arguments, run without a shell. Either this or `url`.',
    }),
  ),
  url: Type.Optional(
    Type.String({
      pattern: '^https?://[^\\s]+$',
      patternErrorMessage: 'an address such as http://127.0.0.1:9000/approve',
      description: 'Called with a JSON body (GET: with none).',
    }),
  ),
  method: Type.Optional(
    Type.Union([Type.Literal('GET'), Type.Literal('POST'), Type.Literal('PUT')], {
      default: 'POST',
      description: 'With `url`.',
    }),
  ),
  timeout: Type.Optional(Duration('It has failed after this long (a confirmation: has not been given yet).', '30s')),
  interval: Type.Optional(Duration('confirm-domain: from "not yet" to the next question.', '10s')),
}

const hook = (description: string) => Type.Optional(Type.Object(HookSource, { ...closed, description }))

export const HooksSource = Type.Object(
  {
    'pre-swap': hook('Before the slots are exchanged; its failure leaves them as they are.'),
    'post-swap': hook('After every proxy has the new table; its failure fails the operation, the slots stay.'),
    'pre-domain': hook('Before a domain of an upgrade goes down; its failure fails the upgrade there.'),
    'post-domain': hook('After the check of a domain; its failure fails the upgrade there.'),
    'confirm-domain': hook('Asked after each domain until it says yes (exit 0, 2xx) or no (exit 2 and above, 403).'),
    'on-rollback': hook('When an upgrade or a swap is undone; nothing waits for it.'),
  },
  { ...closed, description: 'Commands and HTTP calls at the steps of swaps and upgrades.' },
)

type Source = Static<typeof HooksSource>

/** A hook is a command or a call, and nothing is asked of what it is not. */
export function checkHooks(source: Source | undefined, path: readonly string[], findings: Findings): void {
  for (const event of HOOK_EVENTS) {
    const written = source?.[event]
    if (written === undefined) continue
    const at = [...path, event]
    if (written.command === undefined && written.url === undefined) {
      findings.keyFault(at, 'has neither command nor url', 'write command: [PROGRAM, …] or url: http://…')
    } else if (written.command !== undefined && written.url !== undefined) {
      findings.fault([...at, 'url'], 'found both command and url', 'keep one')
    }
    if (written.method !== undefined && written.url === undefined)
      findings.fault([...at, 'method'], 'found a method without url', 'remove it, or write url')
    if (written.interval !== undefined && event !== 'confirm-domain')
      findings.fault([...at, 'interval'], 'found an interval where nothing is asked twice', 'remove it')
  }
}

/** Fills in defaults. */
export function resolveHooks(source: Source = {}): Hooks {
  const resolved: Partial<Record<HookEvent, Hook>> = {}
  for (const event of HOOK_EVENTS) {
    const written = source[event]
    if (written === undefined) continue
    const { command, url, method = 'POST', timeout = '30s', interval = '10s' } = written
    const times = { timeoutMs: parseDuration(timeout), intervalMs: parseDuration(interval) }
    if (command !== undefined) resolved[event] = { kind: 'command', command, ...times }
    else if (url !== undefined) resolved[event] = { kind: 'url', url, method, ...times }
  }
  return resolved
}
