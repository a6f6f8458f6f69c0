import { Type, type Static } from 'typebox'
import { parseDuration } from '../core/duration.ts'
import { Duration, closed } from './common.ts'

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

const clock = {
  timeout: Type.Optional(Duration('It has failed after this long (a confirmation: has not been given yet).', '30s')),
  interval: Type.Optional(Duration('confirm-domain: from "not yet" to the next question.', '10s')),
}

const HookSource = Type.Union([
  Type.Object(
    {
      command: Type.Array(Type.String({ minLength: 1 }), {
        minItems: 1,
        description: 'A program and its arguments, run without a shell.',
      }),
      ...clock,
    },
    closed,
  ),
  Type.Object(
    {
      url: Type.String({
        pattern: '^https?://[^\\s]+$',
        patternErrorMessage: 'an address such as http://127.0.0.1:9000/approve',
        description: 'Called with a JSON body (GET: with none).',
      }),
      method: Type.Optional(
        Type.Union([Type.Literal('GET'), Type.Literal('POST'), Type.Literal('PUT')], { default: 'POST' }),
      ),
      ...clock,
    },
    closed,
  ),
])

const hook = (description: string) => Type.Optional(Type.Union(HookSource.anyOf, { description }))

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

/** Fills in defaults. */
export function resolveHooks(source: Static<typeof HooksSource> = {}): Hooks {
  const resolved: Partial<Record<HookEvent, Hook>> = {}
  for (const event of HOOK_EVENTS) {
    const written = source[event]
    if (written === undefined) continue
    const times = {
      timeoutMs: parseDuration(written.timeout ?? '30s'),
      intervalMs: parseDuration(written.interval ?? '10s'),
    }
    resolved[event] =
      'command' in written
        ? { kind: 'command', command: written.command, ...times }
        : { kind: 'url', url: written.url, method: written.method ?? 'POST', ...times }
  }
  return resolved
}
