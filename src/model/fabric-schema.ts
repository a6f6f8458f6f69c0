import { Type, type Static } from 'typebox'
import { HooksSource } from './hooks.ts'
import { Duration, EjectionSource, HostNames, Named, Port, Size, UserName, Vips, closed } from './common.ts'

const count = (minimum: number, maximum: number, fallback: number, description: string) =>
  Type.Optional(Type.Integer({ minimum, maximum, default: fallback, description }))

const file = (description: string) => Type.String({ minLength: 1, description })

const Role = Type.Union([Type.Literal('viewer'), Type.Literal('operator'), Type.Literal('admin')])

const Tls = Type.Object(
  {
    cert: file('File with the certificate, PEM, and what is between it and its authority.'),
    key: file('File with its private key, PEM, mode 0600.'),
    clientCa: Type.Optional(
      file('File with authorities, PEM: who shows a certificate of theirs needs no token. Default: no certificates.'),
    ),
    clients: Type.Optional(
      Type.Record(Type.String({ pattern: '^[\\w.@+ -]{1,64}$' }), Role, {
        ...closed,
        keyErrorMessage: 'a common name of up to 64 letters, digits, spaces and _ . @ + -',
        description:
          "Common name of a client's certificate → role: viewer, operator, admin; others are refused. Default: all are admins.",
      }),
    ),
  },
  {
    ...closed,
    description: 'HTTPS at the admin address. The files are read again when they change. Default: plain HTTP.',
  },
)

const Admin = Type.Object(
  {
    host: Type.Optional(
      Type.String({
        minLength: 1,
        default: '127.0.0.1',
        description: 'Address of the admin API. Any other than loopback needs `tokenFile` or `tls.clientCa`.',
      }),
    ),
    port: Type.Optional(Type.Integer({ ...Port('Port of the admin API; 0 takes a free one.'), default: 9090 })),
    tokenFile: Type.Optional(
      Type.String({
        minLength: 1,
        description:
          'File with bearer tokens, a line each (NAME:ROLE TOKEN), mode 0600; every call must carry one. Read again when it changes. Default: none.',
      }),
    ),
    tls: Type.Optional(Tls),
    audit: Type.Optional(
      Type.Object(
        {
          maxSize: Type.Optional(Size('The file is put aside once it has grown to this.', '16MiB')),
          keep: count(1, 1000, 10, 'Files put aside that are kept.'),
        },
        {
          ...closed,
          description:
            'The record of every change, `audit/audit.log` in the data folder, and of who was not let in, `audit/refused.log`.',
        },
      ),
    ),
  },
  { ...closed, description: 'Where the admin API listens and who may call it.' },
)

const Limits = Type.Object(
  {
    holdTimeout: Type.Optional(Duration('A request waits at most this long for an instance, then 503.', '30s')),
    holdMax: count(0, 1_000_000, 1000, 'Requests held at once per pool; one more is answered 503.'),
    holdBytes: Type.Optional(Size('Bytes of request bodies kept while holding.', '16MiB')),
    maxHead: Type.Optional(Size('A longer request line with fields is answered 431, or 414.', '32KiB')),
    maxBody: Type.Optional(
      Size('A longer request body is answered 413, where an endpoint says nothing else. Default: no bound.'),
    ),
    maxHeaders: count(1, 10_000, 100, 'More header fields are answered 431.'),
    connectTimeout: Type.Optional(Duration('For connecting to an instance.', '3s')),
    responseTimeout: Type.Optional(Duration('From the request sent to the head of the answer; then 504.', '60s')),
    idleTimeout: Type.Optional(Duration('Without a byte either way in the middle of a message.', '60s')),
    tunnelIdleTimeout: Type.Optional(
      Duration('A WebSocket, other tunnel or tcp connection without a byte either way.', '1h'),
    ),
    keepAliveTimeout: Type.Optional(Duration('A client connection without a request is closed.', '75s')),
    headTimeout: Type.Optional(Duration("From the first byte of a request's head to its last; then 408.", '10s')),
  },
  { ...closed, description: 'Bounds and clocks of the data plane.' },
)

const Packages = Type.Object(
  {
    maxBytes: Type.Optional(Size('Unpacked bytes of one package; more is refused.', '1GiB')),
    maxFiles: count(1, 10_000_000, 50_000, 'Files, folders and links of one package; more are refused.'),
    keep: count(0, 10_000, 10, 'Packages in no use that `gc` keeps, the newest ones.'),
    requireSignature: Type.Optional(
      Type.Boolean({
        default: false,
        description: 'Packages without a signature of one of `trustedKeys` are neither taken nor run.',
      }),
    ),
    trustedKeys: Type.Optional(
      Named(
        Type.String({
          pattern: '^RW[A-Za-z0-9+/]{54}$',
          patternErrorMessage: 'a minisign public key of 56 characters that begins with RW',
        }),
        { description: 'Whose signatures count: public keys (`vipswap keygen`, or minisign) by name.' },
      ),
    ),
  },
  { ...closed, description: 'Bounds of packages and how many are kept.' },
)

const Processes = Type.Object(
  {
    user: Type.Optional(
      UserName('User that role processes run as; agents must run as root for it. Default: the user of their agent.'),
    ),
    users: Type.Optional(
      Type.Array(UserName('A user.'), { default: [], description: 'Users that roles may ask for besides (`user`).' }),
    ),
    openFiles: Type.Optional(
      Type.Integer({
        minimum: 16,
        maximum: 1_048_576,
        description: 'Files a process may have open. Default: as the agent may.',
      }),
    ),
    cgroup: Type.Optional(
      Type.String({
        pattern: '^/',
        patternErrorMessage: 'an absolute path',
        description:
          'Folder of cgroup v2 in which the agents of `vipswap up` hold instances to their sizes. Default: none; sizes only count.',
      }),
    ),
  },
  { ...closed, description: 'How role processes run.' },
)

const Secrets = Type.Object(
  {
    keyFile: Type.Optional(
      Type.String({
        minLength: 1,
        description:
          'File of mode 0600 with the key that seals secrets; made with the first. Default: secrets.key in the data folder.',
      }),
    ),
  },
  { ...closed, description: 'Settings that are secrets.' },
)

const PortRange = Type.Object(
  { from: count(1, 65535, 20_000, 'First port.'), to: count(1, 65535, 29_999, 'Last port, included.') },
  { ...closed, description: "Ports that instances listen on; keep them outside the system's ephemeral range." },
)

const SizeSchema = Type.Object(
  {
    cores: Type.Number({ minimum: 0.01, maximum: 4096, description: 'Processor cores.' }),
    memory: Type.Optional(Size('Main memory.', '512MiB')),
  },
  closed,
)

const Service = Type.Object(
  { vips: Type.Optional(Vips), hostNames: Type.Optional(HostNames), hooks: Type.Optional(HooksSource) },
  { ...closed, description: 'Goes before what the package asks for.' },
)

/** `vipswap.yaml`: the fabric's own configuration. Every field is optional. */
export const FabricSchema = Type.Object(
  {
    $schema: Type.Optional(Type.String({ description: 'For editors.' })),
    admin: Type.Optional(Admin),
    links: Type.Optional(
      Type.Object(
        {
          listen: Type.Optional(
            Type.String({
              pattern: '^(\\[[0-9A-Fa-f:.]+\\]|[^\\s:\\[\\]]+):\\d{1,5}$',
              patternErrorMessage: 'HOST:PORT, for example 10.0.0.1:9443',
              description: 'Where agents and proxies of other machines dial. Default: none do.',
            }),
          ),
          certificateLife: Type.Optional(
            Duration('Life of their certificates; they are renewed when a third of it is left.', '21d'),
          ),
        },
        {
          ...closed,
          description: 'Links to agents and proxies of other machines: TLS with certificates on both sides.',
        },
      ),
    ),
    workers: count(1, 256, 1, 'Processes of the data plane that share the work of the VIPs.'),
    trustedProxies: Type.Optional(
      Type.Array(
        Type.String({
          pattern: '^[0-9A-Fa-f:.]+(/\\d{1,3})?$',
          patternErrorMessage: 'an address or a network such as 10.0.0.0/8',
        }),
        {
          default: [],
          description: 'Whose X-Forwarded-* fields are believed: addresses or networks. Default: nobody.',
        },
      ),
    ),
    exposeInstance: Type.Optional(
      Type.Boolean({ default: false, description: 'Answers name deployment, instance and version (X-Vipswap-*).' }),
    ),
    vips: Type.Optional(Vips),
    services: Type.Optional(Named(Service, { description: 'Addresses and host names of single services.' })),
    limits: Type.Optional(Limits),
    portRange: Type.Optional(PortRange),
    packages: Type.Optional(Packages),
    secrets: Type.Optional(Secrets),
    processes: Type.Optional(Processes),
    sizes: Type.Optional(Named(SizeSchema, { description: "What a role's `size` means." })),
    quota: Type.Optional(
      Type.Object(
        { cores: Type.Number({ minimum: 0, maximum: 1_000_000, description: 'Over all services and both slots.' }) },
        { ...closed, description: 'What all instances together may use. Default: no bound.' },
      ),
    ),
    nodeTimeout: Type.Optional(
      Duration('The instances of a node not heard from for this long are moved to other nodes.', '5m'),
    ),
    ejection: Type.Optional(EjectionSource),
    hooks: Type.Optional(HooksSource),
    accessLog: Type.Optional(
      Type.Union([Type.Literal(false), Type.Literal(true), Type.Literal('json'), Type.Literal('common')], {
        default: false,
        description: 'One line per request of the data plane: as JSON (true does too), or in the common log format.',
      }),
    ),
    balancerHealthPath: Type.Optional(
      Type.String({
        pattern: '^/[^\\s?#]*$',
        patternErrorMessage: 'a path such as /healthz',
        description: 'What an outer balancer asks for: while an address is paused the proxy answers it 200 by itself.',
      }),
    ),
    maintenancePage: Type.Optional(
      Type.String({
        minLength: 1,
        description:
          'File (.html, .htm or .txt, at most 64 KiB, relative to this one) that is the body of every 503 of the proxy.',
      }),
    ),
  },
  { ...closed, $id: 'https://vipswap.dev/schema/vipswap.json', title: 'vipswap fabric configuration' },
)

export type FabricSource = Static<typeof FabricSchema>
