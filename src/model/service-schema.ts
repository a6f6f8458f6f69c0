import { Type, type Static } from 'typebox'
import { Duration, EjectionSource, HostNames, Name, Named, Port, Size, UserName, Vips, closed } from './common.ts'
import { ConfiguredSlotSettings, SlotSettingsSource, ValueFile, VerifySource, WarmUpSource } from './role-traffic.ts'

/** IPv6 in brackets. */
const UPSTREAM = '^([A-Za-z0-9._-]+|\\[[0-9A-Fa-f:.]+\\]):[1-9]\\d{0,4}$'

const SETTING_VALUES = [Type.String(), Type.Number(), Type.Boolean()] as const
const SettingValue = Type.Union([...SETTING_VALUES])

/** In a definition: a setting whose value only a configuration gives, and nobody is shown. */
const SecretSetting = Type.Object(
  { secret: Type.Literal(true, { description: 'Its value is kept sealed and shown nowhere.' }) },
  { ...closed, description: 'A secret: a configuration outside the package gives its value.' },
)

const PackagePath = (description: string) => Type.String({ minLength: 1, description })

/** In a package: paths in it. In a configuration: paths relative to its file. */
const CertificateSource = [
  PackagePath('PEM file with the certificate, its intermediates and its key.'),
  Type.Object(
    {
      cert: PackagePath('PEM file with the certificate and its intermediates.'),
      key: PackagePath('PEM file with its private key, not encrypted.'),
    },
    closed,
  ),
] as const

const ClientAuth = Type.Object(
  {
    ca: PackagePath('PEM file in the package: the authorities whose client certificates are taken.'),
    required: Type.Optional(
      Type.Boolean({ default: true, description: 'No request without a client certificate. Default: true.' }),
    ),
  },
  { ...closed, description: 'Mutual TLS, only with https.' },
)

const Timeouts = Type.Object(
  {
    connect: Type.Optional(Duration('For connecting to an instance.')),
    response: Type.Optional(Duration('From the request sent to the head of the answer; then 504.')),
    idle: Type.Optional(Duration('Without a byte either way in the middle of a message.')),
  },
  { ...closed, description: "Default: the fabric's limits (vipswap.yaml)." },
)

const Endpoint = Type.Object(
  {
    protocol: Type.Optional(
      Type.Union([Type.Literal('http'), Type.Literal('https'), Type.Literal('tcp')], {
        default: 'http',
        description:
          'What the proxy speaks on the VIP. `http` routes requests, `https` does so within TLS, `tcp` passes bytes.',
      }),
    ),
    port: Type.Optional(
      Port('Public port on the production VIP; 0 takes a free one, shown in status. Internal endpoints need none.'),
    ),
    backend: Type.Optional(
      Type.Union([Type.Literal('h1'), Type.Literal('h2c')], {
        default: 'h1',
        description: 'What instances speak: HTTP/1.1, or HTTP/2 without TLS (gRPC).',
      }),
    ),
    certificates: Type.Optional(
      Type.Array(Name('A certificate of this role.'), {
        minItems: 1,
        description: "With https: which of the role's certificates; the first is the default. Default: all of them.",
      }),
    ),
    clientAuth: Type.Optional(ClientAuth),
    http2: Type.Optional(
      Type.Boolean({
        description: 'HTTP/2 with callers. Default: true with https, false with http (prior knowledge).',
      }),
    ),
    proxyProtocol: Type.Optional(
      Type.Boolean({ default: false, description: 'Every connection begins with a PROXY protocol header, 1 or 2.' }),
    ),
    serverTiming: Type.Optional(
      Type.Boolean({
        default: false,
        description: 'Answers say in Server-Timing how long they were held and how long their instance took.',
      }),
    ),
    forwarded: Type.Optional(
      Type.Boolean({ default: false, description: 'Requests carry Forwarded (RFC 7239) beside X-Forwarded-*.' }),
    ),
    maxBody: Type.Optional(Size('A longer request body is answered 413. Default: `limits.maxBody` of vipswap.yaml.')),
    timeouts: Type.Optional(Timeouts),
    internal: Type.Optional(
      Type.Boolean({
        default: false,
        description: 'Reached only by other roles of the same deployment, as ENDPOINT_<ROLE>_<NAME>.',
      }),
    ),
  },
  { ...closed, description: 'A way in to the role, reached through the proxy.' },
)

const Probe = Type.Object(
  {
    protocol: Type.Optional(
      Type.Union([Type.Literal('http'), Type.Literal('tcp'), Type.Literal('process')], {
        description:
          'http when `path` is given, else tcp where the role has an endpoint, else process (up means ready).',
      }),
    ),
    path: Type.Optional(
      Type.String({
        pattern: '^/[!-~]*$',
        patternErrorMessage: 'a path that begins with /, for example /healthz',
        description: 'Path asked by GET; any 2xx or 3xx status is healthy.',
      }),
    ),
    endpoint: Type.Optional(Name('Endpoint that is probed. Default: the first.')),
    interval: Type.Optional(Duration('Time between two probes of a ready instance.', '1s')),
    timeout: Type.Optional(Duration('A probe without an answer for this long has failed.', '2s')),
    healthy: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 100, default: 1, description: 'Successes in a row until ready.' }),
    ),
    unhealthy: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 100, default: 3, description: 'Failures in a row until no longer ready.' }),
    ),
  },
  { ...closed, description: 'How an instance shows that it can serve.' },
)

const LocalStorage = Type.Object(
  {
    size: Type.Optional(Size('Space the role may use.', '100MiB')),
    cleanOnRecycle: Type.Optional(
      Type.Boolean({ default: false, description: 'Emptied at every start of the process.' }),
    ),
  },
  closed,
)

const Command = Type.Union([Type.String({ minLength: 1 }), Type.Array(Type.String(), { minItems: 1 })], {
  description: 'What to run: a string goes through `sh -c` (so $PORT works), an array runs without a shell.',
})

const Role = Type.Object(
  {
    kind: Type.Optional(
      Type.Union([Type.Literal('web'), Type.Literal('worker')], {
        description: 'Default: web where there are endpoints, else worker.',
      }),
    ),
    command: Type.Optional(Command),
    upstreams: Type.Optional(
      Type.Array(Type.String({ pattern: UPSTREAM, patternErrorMessage: 'host:port, for example 127.0.0.1:3000' }), {
        minItems: 1,
        description: 'host:port of what already runs, instead of a command.',
      }),
    ),
    path: Type.Optional(
      Type.String({
        description: "The role's folder in the package. Default: one named like the role, else the root.",
      }),
    ),
    instances: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 10000, default: 1, description: 'How many instances run.' }),
    ),
    endpoints: Type.Optional(Named(Endpoint, { description: 'Where it is reached, by name; the first is `PORT`.' })),
    probe: Type.Optional(Probe),
    startTimeout: Type.Optional(
      Duration('An instance not ready this long after its start is FailedStartingRole.', '30m'),
    ),
    drainTimeout: Type.Optional(Duration('Requests in flight get this long before a planned stop.', '30s')),
    stopTimeout: Type.Optional(Duration('From SIGTERM to SIGKILL.', '30s')),
    startup: Type.Optional(
      Type.Array(Command, { description: 'Commands run in order before the role, each must exit 0.' }),
    ),
    localStorage: Type.Optional(
      Named(LocalStorage, { description: 'Folders that outlive restarts, by name: `LOCAL_STORAGE_<NAME>`.' }),
    ),
    settings: Type.Optional(
      Named(Type.Union([...SETTING_VALUES, SecretSetting]), {
        description: 'Default values of settings; `{ secret: true }` for one that is a secret.',
      }),
    ),
    slotSettings: Type.Optional(SlotSettingsSource),
    warmUp: Type.Optional(WarmUpSource),
    verify: Type.Optional(VerifySource),
    settingsReload: Type.Optional(
      Type.Object(
        {
          signal: Type.Union([Type.Literal('SIGHUP'), Type.Literal('SIGUSR1'), Type.Literal('SIGUSR2')], {
            description: 'Sent once the file is written.',
          }),
        },
        {
          ...closed,
          description:
            'Changed settings reach the process by $HOME/.vipswap/settings.json and this signal to its process group, without a restart.',
        },
      ),
    ),
    certificates: Type.Optional(
      Named(Type.Union([...CertificateSource, Type.Null()]), {
        description: 'Certificates of https endpoints, by name. Nothing after the name: a configuration gives it.',
      }),
    ),
    env: Type.Optional(
      Type.Record(Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]*$' }), SettingValue, {
        ...closed,
        keyErrorMessage: 'a variable of letters, digits and _',
        description: "Further variables of the process's environment.",
      }),
    ),
    user: Type.Optional(
      UserName('User that its processes run as; one that `processes` in vipswap.yaml offers. Default: the one there.'),
    ),
    size: Type.Optional(Type.String({ description: 'A size of the fabric (vipswap.yaml `sizes`).' })),
    affinity: Type.Optional(
      Type.Union([Type.Literal('none'), Type.Literal('cookie'), Type.Literal('source')], {
        default: 'none',
        description: 'Whether a caller stays with its instance: by a cookie, or by its address.',
      }),
    ),
    balancing: Type.Optional(
      Type.Union([Type.Literal('least'), Type.Literal('round-robin')], {
        default: 'least',
        description: '`least`: of two instances chosen at random, the one with less in flight.',
      }),
    ),
    slowStart: Type.Optional(Duration('An instance that becomes ready gets a growing share for this long.', '0s')),
    weights: Type.Optional(
      Type.Array(Type.Integer({ minimum: 1, maximum: 1000 }), {
        minItems: 1,
        description: 'Shares of the instances, by index. Where the list ends: 1.',
      }),
    ),
    maxConcurrent: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1_000_000,
        description: 'Requests at once on one instance; more of them wait. Default: no bound.',
      }),
    ),
    maxQueue: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 1_000_000,
        default: 1000,
        description: 'Requests that wait at most where `maxConcurrent` is reached.',
      }),
    ),
    ejection: Type.Optional(EjectionSource),
    order: Type.Optional(
      Type.Union([Type.Literal('start-first'), Type.Literal('stop-first')], {
        description:
          'Whether a new process is ready beside the old one before that stops, in upgrades and moves. Default: start-first for one instance of a web role without local storage, else stop-first.',
      }),
    ),
    capacityFloor: Type.Optional(
      Type.Union(
        [
          Type.Integer({ minimum: 0, maximum: 10000 }),
          Type.String({ pattern: '^(100|[1-9]?\\d)%$', patternErrorMessage: 'a number of instances, or 0% to 100%' }),
        ],
        {
          description:
            'Instances, or a percentage of them, that planned work leaves ready. Default: all of the other upgrade domains.',
        },
      ),
    ),
  },
  { ...closed, description: 'One role: a command that runs as several instances.' },
)

/** `service.yaml` as a person writes it. The published JSON Schema is this value. */
export const ServiceSchema = Type.Object(
  {
    $schema: Type.Optional(Type.String({ description: 'For editors.' })),
    name: Name("The service's name."),
    version: Type.String({
      pattern: '^[A-Za-z0-9][A-Za-z0-9.+_-]{0,63}$',
      patternErrorMessage: 'a version such as 1.0.0: letters, digits and . + _ -, at most 64',
      description: 'Label of this package, for example 1.0.0.',
    }),
    upgradeDomainCount: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 20, default: 5, description: 'Upgrade domains (Azure default 5).' }),
    ),
    requires: Type.Optional(
      Type.String({ description: 'Range of versions that may be upgraded from in place, for example ">=1.5.0".' }),
    ),
    breaksData: Type.Optional(
      Type.Boolean({ default: false, description: 'The version before cannot read what this one writes.' }),
    ),
    platform: Type.Optional(
      Type.Object(
        {
          version: Type.Optional(
            Type.String({ minLength: 1, maxLength: 64, description: 'What the roles expect to run on.' }),
          ),
          trustLevel: Type.Optional(
            Type.Union([Type.Literal('full'), Type.Literal('partial')], {
              default: 'full',
              description: 'As in Cloud Services; a change of it restarts every role.',
            }),
          ),
        },
        { ...closed, description: 'A change of it walks the upgrade domains of all roles.' },
      ),
    ),
    vips: Type.Optional(Vips),
    hostNames: Type.Optional(HostNames),
    roles: Named(Role, { minProperties: 1, description: 'What runs, by name.' }),
  },
  { ...closed, $id: 'https://vipswap.dev/schema/service.json', title: 'vipswap service definition' },
)

/** `service.config.yaml`: what may change without a new package. */
export const ConfigurationSchema = Type.Object(
  {
    $schema: Type.Optional(Type.String({ description: 'For editors.' })),
    roles: Named(
      Type.Object(
        {
          instances: Type.Optional(
            Type.Integer({ minimum: 0, maximum: 10000, description: 'How many instances run.' }),
          ),
          settings: Type.Optional(
            Named(Type.Union([...SETTING_VALUES, ValueFile]), { description: 'Values of settings, by name.' }),
          ),
          slotSettings: Type.Optional(ConfiguredSlotSettings),
          certificates: Type.Optional(
            Named(Type.Union([...CertificateSource]), {
              description: 'Instead of what the package brings. Paths relative to this file.',
            }),
          ),
        },
        closed,
      ),
      { description: 'What changes, by role.' },
    ),
  },
  { ...closed, $id: 'https://vipswap.dev/schema/configuration.json', title: 'vipswap service configuration' },
)

export type ServiceSource = Static<typeof ServiceSchema>
export type RoleSource = Static<typeof Role>
export type ConfigurationSource = Static<typeof ConfigurationSchema>
