import t from 'tap'
import { loadDefinition } from '../../../src/model/load-definition.ts'
import { makeAuthority, makeCertificate } from '../../support/certificates.ts'

const authority = await makeAuthority()
const made = await makeCertificate({ names: ['shop.test', '10.0.0.5'], authority })
const other = await makeCertificate({ names: ['other.test'], authority })
const old = await makeCertificate({ names: ['old.test'], days: -1 })
const soon = await makeCertificate({ names: ['soon.test'], days: 3 })

const files: Record<string, string> = {
  'tls/site.pem': made.chain + made.key,
  'tls/other.pem': other.key + other.chain,
  'tls/mixed.pem': made.chain + other.key,
  'tls/reversed.pem': authority.ca + made.chain + made.key,
  'tls/nokey.pem': made.chain,
  'tls/key.pem': made.key,
  'tls/keys.pem': made.chain + made.key + other.key,
  'tls/locked.pem': `${made.chain}-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n`,
  'tls/broken.pem': `-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n${made.key}`,
  'tls/words.pem': 'hello',
  'tls/long.pem': 'x'.repeat(64 * 1024 + 1),
  'tls/old.pem': old.chain + old.key,
  'tls/soon.pem': soon.chain + soon.key,
  'tls/ca.pem': authority.ca,
}

function load(role: string) {
  return loadDefinition(
    'service.yaml',
    `name: shop\nversion: "1"\nroles:\n  web: { command: x, instances: 2, ${role} }\n`,
    {
      kindOf: path => (path === 'tls' ? 'directory' : Object.hasOwn(files, path) ? 'file' : null),
      textOf: path => files[path] ?? null,
      now: Date.now(),
    },
  )
}

function messages(role: string): string[] {
  const loaded = load(role)
  return 'faults' in loaded ? loaded.faults.map(({ message }) => message.replace(/^[^ ]+ /, '')) : []
}

function sound(role: string) {
  const loaded = load(role)
  if ('faults' in loaded) throw new Error(loaded.faults.map(({ message }) => message).join('\n'))
  return loaded
}

const SITE = 'certificates: { site: tls/site.pem }'

t.test('an https endpoint gets defaults, and its certificates are read', async t => {
  const { definition, tls, warnings } = sound(
    `${SITE}, endpoints: { tls: { protocol: https, port: 443 }, plain: { port: 80 } }`,
  )
  t.match(definition.roles['web']?.endpoints, [
    { name: 'tls', protocol: 'https', certificates: ['site'], http2: true, clientAuth: null },
    { name: 'plain', protocol: 'http', certificates: [], http2: false },
  ])
  t.match(tls, {
    certificates: { web: { site: { names: ['shop.test', '10.0.0.5'], key: made.key } } },
    authorities: {},
  })
  t.equal(tls.certificates['web']?.['site']?.id.length, 64)
  t.ok((tls.certificates['web']?.['site']?.notAfter ?? 0) > Date.now())
  t.strictSame(warnings, [])
  t.notMatch(JSON.stringify(definition), /PRIVATE KEY/, 'the definition holds paths')
})

t.test('all that an endpoint may say', async t => {
  const { definition, tls } = sound(
    `certificates: { site: { cert: tls/nokey.pem, key: ./tls/key.pem }, spare: },
     endpoints: { tls: { protocol: https, port: 443, certificates: [site], clientAuth: { ca: tls/ca.pem, required: false },
       http2: false, backend: h2c, proxyProtocol: true, forwarded: true, maxBody: 10MiB,
       timeouts: { connect: 1s, idle: 5m } } },
     affinity: cookie, balancing: round-robin, slowStart: 10s, weights: [3, 1], maxConcurrent: 20, maxQueue: 0,
     ejection: { failures: 2, base: 1s }`,
  )
  t.match(definition.roles['web'], {
    certificates: { site: { cert: 'tls/nokey.pem', key: 'tls/key.pem' }, spare: null },
    affinity: 'cookie',
    balancing: 'round-robin',
    slowStartMs: 10_000,
    weights: [3, 1],
    maxConcurrent: 20,
    maxQueue: 0,
  })
  t.strictSame(definition.roles['web']?.ejection, { failures: 2, baseMs: 1000 })
  t.strictSame(definition.roles['web']?.endpoints[0], {
    name: 'tls',
    protocol: 'https',
    port: 443,
    internal: false,
    backend: 'h2c',
    certificates: ['site'],
    clientAuth: { ca: 'tls/ca.pem', required: false },
    http2: false,
    proxyProtocol: true,
    forwarded: true,
    maxBodyBytes: 10 * 1024 * 1024,
    timeouts: { connectMs: 1000, responseMs: null, idleMs: 300_000 },
  })
  t.strictSame(tls.authorities, { web: { tls: authority.ca } })
  t.equal(sound('ejection: false, endpoints: { a: { port: 80 } }').definition.roles['web']?.ejection, null)
})

t.test('an old certificate in a package is warned of: the configuration may give another', async t => {
  const endpoints = 'endpoints: { tls: { protocol: https, port: 443 } }'
  for (const [file, message] of [
    ['old', /roles.web.certificates.site: the certificate expired on .*; renew it/],
    ['soon', /roles.web.certificates.site: the certificate expires on .*, in [23] days; renew it/],
  ] as const) {
    const { warnings } = sound(`certificates: { site: tls/${file}.pem }, ${endpoints}`)
    t.match(
      warnings.map(warning => warning.message),
      [message],
    )
  }
})

t.test('certificates that cannot be used are faults that say why, never what they hold', async t => {
  for (const [file, message] of [
    ['tls/mixed.pem', /has a private key that belongs to another certificate; give the two that belong together/],
    ['tls/reversed.pem', /begins with a certificate its key does not belong to|belongs to another certificate/],
    ['tls/nokey.pem', /holds no private key; give it beside/],
    ['tls/key.pem', /holds no certificate; give/],
    ['tls/keys.pem', /holds more than one private key/],
    ['tls/locked.pem', /has an encrypted private key; give the key without a passphrase/],
    ['tls/broken.pem', /its certificate number 1 is damaged; export it again/],
    ['tls/words.pem', /is not PEM; give the PEM text of a certificate/],
    ['tls/long.pem', /is longer than 64 KiB/],
    ['tls/gone.pem', /found "tls\/gone.pem", which is not in the package; write the path of a PEM file/],
    ['tls', /found "tls", which is a folder/],
    ['../site.pem', /which leaves the package/],
    ['/etc/site.pem', /which leaves the package/],
  ] as const) {
    const found = messages(`certificates: { site: "${file}" }, endpoints: { tls: { protocol: https, port: 443 } }`)
    t.equal(found.length, 1, file)
    t.match(found[0], message)
    t.match(found[0], /^roles.web.certificates.site: /)
    t.notMatch(found[0], /PRIVATE KEY-----/)
  }
  const mutual = (ca: string) =>
    messages(`${SITE}, endpoints: { tls: { protocol: https, port: 443, clientAuth: { ca: ${ca} } } }`)
  t.match(mutual('tls/key.pem'), [/clientAuth.ca: the file holds a private key; give only the certificates/])
  t.match(mutual('tls/words.pem'), [/clientAuth.ca: the file holds no certificate/])
  t.match(mutual('tls/none.pem'), [/clientAuth.ca: found "tls\/none.pem", which is not in the package/])
})

t.test('contradictions are faults with what to write instead', async t => {
  const http = 'endpoints: { a: { port: 80 } }'
  const tcp = (more: string) => `endpoints: { a: { protocol: tcp, port: 80, ${more} } }`
  const plain = (more: string) => `endpoints: { a: { port: 80, ${more} } }`
  const https = (more: string) => `${SITE}, endpoints: { a: { protocol: https, port: 443, ${more} } }`
  for (const [role, message] of [
    [
      'endpoints: { a: { protocol: https, port: 443 } }',
      /a.protocol: found https in a role without certificates; write certificates: { site: /,
    ],
    [https('certificates: [sit]'), /certificates.0: found "sit", which is no certificate of this role; write site/],
    [https('certificates: []'), /found an empty list; write at least 1/],
    [plain('certificates: [site]'), /a.certificates: found on an http endpoint; write protocol: https, or remove it/],
    [plain('clientAuth: { ca: tls/ca.pem }'), /a.clientAuth: found on an http endpoint; write protocol: https/],
    [tcp('clientAuth: { ca: tls/ca.pem }'), /a.clientAuth: found on a tcp endpoint; write protocol: https/],
    [
      `${SITE}, endpoints: { a: { protocol: https, internal: true } }`,
      /a.protocol: found https on an internal endpoint; write http or tcp/,
    ],
    [tcp('http2: true'), /a.http2: found on a tcp endpoint, which passes bytes; remove it/],
    [tcp('backend: h2c'), /a.backend: found on a tcp endpoint/],
    [tcp('forwarded: true'), /a.forwarded: found on a tcp endpoint/],
    [tcp('maxBody: 1MiB'), /a.maxBody: found on a tcp endpoint/],
    [tcp('timeouts: { response: 1s }'), /a.timeouts.response: found on a tcp endpoint, which has no answers/],
    ['endpoints: { a: { internal: true, proxyProtocol: true } }', /a.proxyProtocol: found on an internal endpoint/],
    [`affinity: cookie, ${tcp('')}`, /web.affinity: found cookie on a role with tcp endpoints alone; write source/],
    ['balancing: least', /web.balancing: found on a role without endpoints; write endpoints, or remove it/],
    [`${SITE}, ${http}`, /web.certificates: found on a role without an https endpoint; write protocol: https/],
    [`weights: [1, 0], ${http}`, /weights.1: found 0; write a whole number from 1 to 1000/],
    [`ejection: true, ${http}`, /ejection: found true; write false or a mapping with any of failures, base, maxShare/],
    [`slowStart: 10, ${http}`, /slowStart: found 10; write a duration/],
    [`maxConcurrent: 0, ${http}`, /maxConcurrent: found 0/],
    [`balancing: leest, ${http}`, /balancing: found "leest"; write least \(one of least, round-robin\)/],
  ] as const) {
    const found = messages(role)
    t.equal(found.length, 1, `${role} ${found.join('|')}`)
    t.match(found[0], message)
  }
  t.strictSame(messages(tcp('http2: false, backend: h1, proxyProtocol: true')), [], 'what says nothing is no fault')
  const upstreams = loadDefinition(
    'service.yaml',
    'name: a\nversion: "1"\nroles: { f: { upstreams: ["h:1"], weights: [1, 2], endpoints: { a: { port: 1 } } } }',
  )
  t.match('faults' in upstreams ? upstreams.faults.map(({ found }) => found) : [], ['found 2 weights for 1 upstreams'])
})
