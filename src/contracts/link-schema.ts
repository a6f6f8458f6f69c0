import { Type, type Static, type TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { VipswapError } from '../core/errors.ts'
import { BROKEN_CAUSES } from '../model/ledger-row.ts'
import type { FromAgent, FromProxy } from './link.ts'

// What a peer may say on its link. Fields that are not here are let pass: those of later versions. A type that is not here
// is none of this protocol.

/** Names become keys of plain objects: none that those inherit. */
const INHERITED = Object.getOwnPropertyNames(Object.prototype).join('|')
const Name = Type.String({ pattern: `^(?!(?:${INHERITED})$)[A-Za-z0-9][A-Za-z0-9._-]{0,127}$` })
const Text = Type.String()
const Count = Type.Number({ minimum: 0 })
const Port = Type.Integer({ minimum: 0, maximum: 65_535 })
const Digest = Type.String({ pattern: '^[0-9a-f]{64}$' })
/** So far from the largest exact number that no sum of ours gets there. */
const Ordinal = Type.Integer({ minimum: 0, maximum: 2 ** 48 })

const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
const byName = <T extends TSchema>(value: T) =>
  Type.Record(Type.String({ pattern: '^(?!__proto__$)' }), value, { additionalProperties: false })

const Revision = Type.Object({ term: Ordinal, n: Ordinal })
const Predecessor = Type.Object({ incarnation: Name, exited: Type.Boolean() })
const Readings = byName(byName(Type.Number()))

const Classes = Type.Tuple([Count, Count, Count, Count, Count])
const Durations = Type.Object({ sumUs: Count, buckets: Type.Array(Count) })
const LedgerRow = Type.Object({
  vip: Text,
  deployment: Text,
  version: Text,
  arrived: Count,
  answered: Count,
  refused: Count,
  clientGone: Count,
  held: Count,
  heldMaxMs: Count,
  replayed: Count,
  broken: Type.Object(
    Object.fromEntries(BROKEN_CAUSES.map(cause => [cause, Type.Optional(Count)])) as Record<
      (typeof BROKEN_CAUSES)[number],
      ReturnType<typeof Type.Optional<typeof Count>>
    >,
    { additionalProperties: Count },
  ),
  answers: Type.Optional(
    Type.Object({
      statuses: Classes,
      own: Classes,
      bytesIn: Count,
      bytesOut: Count,
      duration: Durations,
      firstByte: Durations,
    }),
  ),
})
const ProxyStatus = Type.Object({
  revision: Revision,
  inFlight: byName(Count),
  ledger: Type.Object({ incarnation: Name, rows: Type.Array(LedgerRow) }),
})

const OBSERVED_STATES = [
  'preparing',
  'starting',
  'ready',
  'unresponsive',
  'stopping',
  'stopped',
  'backoff',
  'cycling',
  'failed',
] as const
const InstanceObservation = Type.Object({
  key: Type.String({ pattern: '^[^/]+/[^/]+$' }),
  incarnation: Ordinal,
  spec: Type.Optional(Text),
  attempt: Ordinal,
  state: Type.Enum([...OBSERVED_STATES]),
  version: Text,
  host: Type.String({ minLength: 1, maxLength: 255 }),
  ports: byName(Port),
  pid: Nullable(Type.Integer({ minimum: 1 })),
  restarts: Count,
  storage: Type.Optional(byName(Count)),
  since: Type.Number(),
  detail: Text,
})

const hello = { type: Type.Literal('hello'), id: Name, incarnation: Name, bootId: Text, applied: Nullable(Revision) }
const refused = Type.Object({ type: Type.Literal('refused'), revision: Revision, applied: Revision })
const metrics = Type.Object({ type: Type.Literal('metrics'), readings: Readings })

const OF_PROXY = {
  hello: Type.Object({ ...hello, peer: Type.Literal('proxy'), predecessors: Type.Array(Predecessor) }),
  ack: Type.Object({
    type: Type.Literal('ack'),
    revision: Revision,
    listeners: Type.Array(Type.Object({ key: Text, port: Nullable(Port), error: Nullable(Text) })),
    status: ProxyStatus,
  }),
  status: Type.Object({ type: Type.Literal('status'), status: ProxyStatus }),
  predecessor: Type.Object({ type: Type.Literal('predecessor'), ...Predecessor.properties }),
  metrics,
  refused,
}

const Domain = Nullable(Ordinal)
const OF_AGENT = {
  hello: Type.Object({
    ...hello,
    peer: Type.Literal('agent'),
    node: Type.Object({
      cores: Type.Number({ exclusiveMinimum: 0 }),
      memoryBytes: Count,
      host: Type.String({ minLength: 1, maxLength: 255 }),
      faultDomain: Domain,
      upgradeDomain: Domain,
      confines: Type.Optional(Type.Array(Text)),
    }),
  }),
  observed: Type.Object({
    type: Type.Literal('observed'),
    revision: Nullable(Revision),
    instances: Type.Array(InstanceObservation),
    packages: Type.Array(Digest),
    packageErrors: byName(Text),
  }),
  log: Type.Object({ type: Type.Literal('log'), request: Text, text: Text }),
  'log-end': Type.Object({ type: Type.Literal('log-end'), request: Text, error: Nullable(Text) }),
  metrics,
  refused,
}

type Said<T extends Readonly<Record<string, TSchema>>> = Static<T[keyof T]>

interface Check {
  Check(value: unknown): boolean
  Errors(value: unknown): readonly { readonly instancePath: string; readonly message: string }[]
}

const compiled = (schemas: Readonly<Record<string, TSchema>>): ReadonlyMap<string, Check> =>
  new Map(Object.entries(schemas).map(([type, schema]) => [type, Compile(schema)]))
const WORDS = { proxy: 'a proxy', agent: 'an agent' } as const
const CHECKS = { proxy: compiled(OF_PROXY), agent: compiled(OF_AGENT) }

/**
 * What a peer said, if it is a message of that kind of peer (null: nobody has said hello yet, and nothing else may be said).
 * Throws `invalid_request`, naming the message and the first thing that is wrong with it.
 */
export function readLinkMessage(value: unknown, from: 'proxy' | 'agent' | null): FromProxy | FromAgent {
  const { type, peer } =
    typeof value === 'object' && value !== null ? (value as { type?: unknown; peer?: unknown }) : {}
  const kind = from ?? (type === 'hello' && (peer === 'proxy' || peer === 'agent') ? peer : null)
  const check = kind === null || typeof type !== 'string' ? undefined : CHECKS[kind].get(type)
  if (kind === null)
    throw new VipswapError('invalid_request', 'it does not begin with the hello of a proxy or an agent')
  if (check === undefined)
    throw new VipswapError('invalid_request', `it is no message of ${WORDS[kind]}: ${shown(type)}`)
  if (!check.Check(value)) {
    const [fault] = check.Errors(value)
    const where = fault === undefined || fault.instancePath === '' ? 'it' : fault.instancePath
    throw new VipswapError(
      'invalid_request',
      `${shown(type)} of ${WORDS[kind]}: ${where} ${fault?.message ?? 'is wrong'}`,
    )
  }
  // Just checked; and the compiler holds the schemas against the types by which the peers speak.
  return value as Said<typeof OF_PROXY> | Said<typeof OF_AGENT>
}

function shown(type: unknown): string {
  return typeof type === 'string' ? JSON.stringify(type.slice(0, 40)) : `a ${typeof type} for a type`
}
