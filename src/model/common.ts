import { Type, type Static, type TSchema } from 'typebox'
import { DURATION_PATTERN, LONGEST_DURATION_TEXT, isTooLong, parseDuration } from '../core/duration.ts'
import type { Ejection } from './definition.ts'

/** Names of services, roles, endpoints, settings folders: they end up in host names, file names and variables. */
export const NAME_PATTERN = '^[A-Za-z][A-Za-z0-9_-]{0,62}$'

const NAME_TEXT = 'a name of letters, digits, - and _ that begins with a letter'

// `patternErrorMessage` completes "write …" in our messages; editors that know JSON Schema show it as well.

export const Name = (description: string) =>
  Type.String({ pattern: NAME_PATTERN, patternErrorMessage: NAME_TEXT, description })
/** Of the operating system: a name, or a number. */
export const UserName = (description: string) =>
  Type.String({
    pattern: '^([a-z_][a-z0-9_.-]{0,31}|\\d{1,10})$',
    patternErrorMessage: 'a user name such as www-data, or its number',
    description,
  })
export const Duration = (description: string, fallback?: string) =>
  Type.Refine(
    Type.String({
      pattern: DURATION_PATTERN,
      patternErrorMessage: 'a duration such as 500ms, 30s, 5m or 1h30m',
      description,
      ...(fallback === undefined ? {} : { default: fallback }),
    }),
    // No pattern can add up.
    text => !isTooLong(text),
    () => `must be ${LONGEST_DURATION_TEXT}`,
  )
export const Port = (description: string) => Type.Integer({ minimum: 0, maximum: 65535, description })
export const Size = (description: string, fallback?: string) =>
  Type.String({
    pattern: '^\\d+(B|KB|KiB|MB|MiB|GB|GiB)$',
    patternErrorMessage: 'a size such as 64KiB, 100MiB or 1GiB',
    description,
    ...(fallback === undefined ? {} : { default: fallback }),
  })

const SIZE_UNITS: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1e3,
  KiB: 2 ** 10,
  MB: 1e6,
  MiB: 2 ** 20,
  GB: 1e9,
  GiB: 2 ** 30,
}

/** Bytes of a size that the schema accepted: `100MiB`. */
export function parseSize(text: string): number {
  const [, amount, unit] = /^(\d+)([A-Za-z]+)$/.exec(text) ?? []
  return Number(amount) * (SIZE_UNITS[unit ?? ''] ?? Number.NaN)
}

/** No other keys than those named: what is misspelt is a fault, never ignored. */
export const closed = { additionalProperties: false }

/** A mapping whose keys are names of the user's choice. */
export const Named = <T extends TSchema>(value: T, options: { description?: string; minProperties?: number } = {}) =>
  Type.Record(Type.String({ pattern: NAME_PATTERN }), value, { ...closed, keyErrorMessage: NAME_TEXT, ...options })

/** An address of a VIP: an IP address (IPv6 in brackets), `:+N` adds N to each endpoint's port. */
const VIP_PATTERN = '^(\\[[0-9A-Fa-f:.]+\\]|\\d{1,3}(\\.\\d{1,3}){3})(:\\+\\d{1,5})?$'

export const Vips = Type.Object(
  {
    production: Type.Optional(vip('Address of the production VIP.', '127.0.0.1')),
    staging: Type.Optional(vip('Address of the staging VIP, where `:+N` adds N to each port.', '127.0.0.1:+1')),
  },
  { ...closed, description: 'Addresses of the two slots.' },
)

function vip(description: string, fallback: string) {
  return Type.String({
    pattern: VIP_PATTERN,
    patternErrorMessage: 'an IP address such as 10.0.0.5, 127.0.0.1:+1000 or [fd00::5]',
    description,
    default: fallback,
  })
}

const HOST_NAME = {
  pattern: '^[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*$',
  patternErrorMessage: 'a host name without port, for example shop.example.org',
}

export const HostNames = Type.Object(
  {
    production: Type.Optional(Type.String({ ...HOST_NAME, description: 'Default: <service>.localhost.' })),
    staging: Type.Optional(Type.String({ ...HOST_NAME, description: 'Default: staging.<service>.localhost.' })),
  },
  { ...closed, description: 'Host names of the two slots; they decide where several services share an address.' },
)

/** Passive ejection; what is left out has the value of the level above, in the end 5, 5s and 0.5. */
export const EjectionSource = Type.Union(
  [
    Type.Literal(false),
    Type.Object(
      {
        failures: Type.Optional(
          Type.Integer({ minimum: 1, maximum: 1000, description: 'Failures in a row. Default: 5.' }),
        ),
        base: Type.Optional(Duration('For how long at first; doubled each time, up to ten times this. Default: 5s.')),
        maxShare: Type.Optional(
          Type.Number({ minimum: 0, maximum: 1, description: 'Of the ready instances at most. Default: 0.5.' }),
        ),
      },
      closed,
    ),
  ],
  { description: 'An instance that fails in a row is passed over for a while; false: never.' },
)

/** null for `false`; only what was written otherwise. */
export function resolveEjection(source: Static<typeof EjectionSource> = {}): Partial<Ejection> | null {
  if (source === false) return null
  const { base, ...rest } = source
  return { ...rest, ...(base === undefined ? {} : { baseMs: parseDuration(base) }) }
}
