import { Type, type Static } from 'typebox'
import { parseDuration } from '../core/duration.ts'
import { Duration, Name, Named, closed } from './common.ts'
import type { Slot } from './slot.ts'
import type { EndpointDefinition, Probe } from './definition.ts'

/** Statuses from, to, both included. */
export type StatusRange = readonly [number, number]

/** One request that warms an instance before it gets traffic. */
export interface WarmUp {
  readonly endpoint: string
  readonly path: string
  readonly accept: readonly StatusRange[]
  readonly timeoutMs: number
}

export type VerifyKind = 'short' | 'slow' | 'post' | 'chunked' | 'sse' | 'websocket'

/** What `--verify` sends to a role; `body` is also the message of a WebSocket, which then must be answered. */
export interface VerifyProbe {
  readonly kind: VerifyKind
  readonly endpoint: string
  readonly path: string
  readonly accept: readonly StatusRange[]
  readonly body: string | null
}

/** A setting's value while its deployment is in the slot; undefined: as `settings` says. */
export interface SlotValues {
  readonly production?: string
  readonly staging?: string
}

const Path = Type.String({
  pattern: '^/[!-~]*$',
  patternErrorMessage: 'a path that begins with /, for example /healthz',
  description: 'What is asked for, query included.',
})

const Accept = Type.Array(
  Type.Union([
    Type.Integer({ minimum: 200, maximum: 599 }),
    Type.String({ pattern: '^[2-5]\\d\\d-[2-5]\\d\\d$', patternErrorMessage: 'a range such as 200-399' }),
  ]),
  { minItems: 1, default: ['200-399'], description: 'Statuses that are fine.' },
)

export const WarmUpSource = Type.Array(
  Type.Object(
    {
      path: Path,
      endpoint: Type.Optional(Name('Default: the first http or https endpoint.')),
      accept: Type.Optional(Accept),
      timeout: Type.Optional(Duration('It is asked again until it answers well, for this long.', '90s')),
    },
    closed,
  ),
  { description: 'Asked of each instance before a swap gives it traffic, in order.' },
)

export const VerifySource = Type.Array(
  Type.Object(
    {
      path: Path,
      kind: Type.Optional(
        Type.Union(
          [
            Type.Literal('short'),
            Type.Literal('slow'),
            Type.Literal('post'),
            Type.Literal('chunked'),
            Type.Literal('sse'),
            Type.Literal('websocket'),
          ],
          {
            default: 'short',
            description:
              'GET, a GET that takes its time, POST, POST with a chunked body, a stream of events, or a WebSocket.',
          },
        ),
      ),
      endpoint: Type.Optional(Name('Default: the first http or https endpoint.')),
      accept: Type.Optional(Accept),
      body: Type.Optional(
        Type.String({
          maxLength: 65_536,
          description: 'Of post and chunked; with websocket a message to be answered.',
        }),
      ),
    },
    closed,
  ),
  { description: 'What `--verify` sends through the VIP. Default: a GET of the probe path.' },
)

const slotWords = (slot: string) => ({ description: `Its value in ${slot}. Default: as \`settings\` says.` })
const slotValue = (slot: string) =>
  Type.Optional(Type.Union([Type.String(), Type.Number(), Type.Boolean()], slotWords(slot)))

/** In a configuration outside a package: a value that lies in a file. */
export const ValueFile = Type.Object(
  { file: Type.String({ minLength: 1, description: 'Relative to this file; one line end at its end is left out.' }) },
  { ...closed, description: 'The value is what this file holds; for secrets.' },
)
const configuredValue = (slot: string) =>
  Type.Optional(Type.Union([Type.String(), Type.Number(), Type.Boolean(), ValueFile], slotWords(slot)))

export const SlotSettingsSource = Named(
  Type.Object({ production: slotValue('production'), staging: slotValue('staging') }, closed),
  { description: 'Settings that belong to a slot, with their values there; they stay when the code moves.' },
)

export const ConfiguredSlotSettings = Named(
  Type.Object({ production: configuredValue('production'), staging: configuredValue('staging') }, closed),
  { description: 'Settings that belong to a slot, with their values there; they stay when the code moves.' },
)

/** Settings are text for a role process, however they are written; of what stands for a value elsewhere, nothing. */
export function settingText(value: string | number | boolean | object): string {
  return typeof value === 'object' ? '' : String(value)
}

/** `textAt` gives a value as it was written, so that `1.10` stays `1.10`; absent: as text. */
export function resolveSlotValues(
  source: Static<typeof SlotSettingsSource> | Static<typeof ConfiguredSlotSettings>,
  path: readonly string[] = [],
  textAt: (path: readonly string[]) => string | undefined = () => undefined,
): Record<string, SlotValues> {
  return Object.fromEntries(
    Object.entries(source).map(([setting, values]) => {
      const text = (slot: Slot): Partial<Record<Slot, string>> =>
        values[slot] === undefined ? {} : { [slot]: textAt([...path, setting, slot]) ?? settingText(values[slot]) }
      return [setting, { ...text('production'), ...text('staging') }]
    }),
  )
}

function resolveAccept(source: Static<typeof Accept> = ['200-399']): StatusRange[] {
  return source.map(one => {
    if (typeof one === 'number') return [one, one]
    const [from, to] = one.split('-').map(Number)
    return [from ?? 0, to ?? 0]
  })
}

function firstHttp(endpoints: readonly EndpointDefinition[]): string {
  return endpoints.find(({ protocol }) => protocol !== 'tcp')?.name ?? ''
}

export function resolveWarmUp(source: Static<typeof WarmUpSource>, endpoints: readonly EndpointDefinition[]): WarmUp[] {
  return source.map(({ path, endpoint, accept, timeout }) => ({
    endpoint: endpoint ?? firstHttp(endpoints),
    path,
    accept: resolveAccept(accept),
    timeoutMs: parseDuration(timeout ?? '90s'),
  }))
}

export function resolveVerify(
  source: Static<typeof VerifySource>,
  endpoints: readonly EndpointDefinition[],
): VerifyProbe[] {
  return source.map(({ kind = 'short', path, endpoint, accept, body }) => ({
    kind,
    endpoint: endpoint ?? firstHttp(endpoints),
    path,
    accept: resolveAccept(accept),
    body: body ?? null,
  }))
}

/** What `--verify` sends to a role: what it names, else a GET of its probe's path; nothing where it has neither. */
export function verifyProbesOf(role: {
  readonly verify?: readonly VerifyProbe[]
  readonly probe: Probe
}): readonly VerifyProbe[] {
  if (role.verify !== undefined) return role.verify
  const { probe } = role
  return probe.kind !== 'http'
    ? []
    : [{ kind: 'short', endpoint: probe.endpoint, path: probe.path, accept: [[200, 399]], body: null }]
}
