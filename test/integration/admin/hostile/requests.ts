// Requests that nobody means well with, made from a seed: the same seed makes the same ones.

/** A number from 0 up to, and without, `below`. */
type Random = (below: number) => number

const S = '/v1/services/guestbook'
const SLOT = `${S}/slots/production`
const INSTANCE = `${SLOT}/instances/web_IN_0`
/** In place of the digest of a package. */
const DIGEST = 'ab'.repeat(32)

const CALLS: readonly (readonly [method: string, path: string, body?: object])[] = [
  ['GET', '/v1/services'],
  ['GET', S],
  ['DELETE', '/v1/services/nobody'],
  ['POST', `${S}/swap`, { phase: 'prepare', expect: { production: 'a', staging: null } }],
  ['GET', SLOT],
  ['POST', '/v1/services/new/slots/staging', { package: DIGEST, configuration: { roles: { web: { instances: 2 } } } }],
  ['POST', `${SLOT}/upgrade`, { package: DIGEST, mode: 'monitored', policy: 'default' }],
  ['PATCH', `${SLOT}/upgrade`, { mode: 'manual', policy: { failureAction: 'manual' } }],
  ['POST', `${SLOT}/walk`, { domain: 1 }],
  ['POST', `${SLOT}/rollback`, { mode: 'auto' }],
  ['POST', `${SLOT}/upgrade`, { package: DIGEST, mode: 'simultaneous', restartUnchanged: true, force: true }],
  ['POST', `${S}/slots/staging/upgrade`, { package: DIGEST, mode: 'unmonitored-auto', restartUnchanged: true }],
  ['POST', `${S}/slots/staging`, { package: DIGEST, label: 'x', replace: true }],
  ['POST', `${S}/swap`],
  ['POST', `${S}/swap`, { phase: 'commit' }],
  ['POST', `${S}/swap`, { phase: 'cancel' }],
  ['DELETE', `${S}/slots/staging`],
  ['DELETE', S],
  [
    'POST',
    `${SLOT}/configuration`,
    { configuration: { roles: { web: { settings: { A: 'b' }, certificates: { c: 'PEM' } } } } },
  ],
  ['POST', `${SLOT}/status`, { status: 'Suspended' }],
  ['POST', `${SLOT}/plan`, { upgrade: { package: DIGEST, configuration: { roles: { web: { instances: 1 } } } } }],
  ['POST', `${SLOT}/health`, { source: 's', property: 'p', state: 'Ok', ttl: '5m' }],
  ['POST', `${SLOT}/pause`, { timeout: '5s' }],
  ['POST', `${SLOT}/resume`],
  ['POST', `${SLOT}/configuration`, { configuration: { roles: { web: { instances: 3, settings: { A: 'b' } } } } }],
  ['POST', `${INSTANCE}/reboot`],
  ['POST', `${INSTANCE}/reimage`],
  ['POST', `${INSTANCE}/drain`],
  ['POST', `${INSTANCE}/undrain`],
  ['GET', `${INSTANCE}/explain`],
  ['POST', '/v1/operations/op-1/force'],
  ['POST', '/v1/gc'],
  ['POST', '/v1/recovery/accept'],
  ['POST', '/v1/nodes/node-0/undrain'],
  ['GET', `${INSTANCE}/logs`],
  ['GET', `${INSTANCE}/proxy/x`],
  ['GET', '/v1/operations'],
  ['GET', '/v1/events?follow=0'],
  ['POST', '/v1/packages'],
  ['POST', `${S}/traffic/marks`, { label: 'x' }],
  ['GET', `${S}/traffic/series?seconds=5`],
  ['POST', '/v1/nodes/node-0/drain'],
  ['POST', '/v1/join-tokens', { kind: 'agent', name: 'n', ttl: '1h' }],
  ['DELETE', '/v1/members/agent/nobody'],
  ['GET', '/portal/index.js'],
  ['GET', '/'],
]
const METHODS = [
  'PROPFIND',
  'MKCOL',
  'LOCK',
  'TRACE',
  'CONNECT',
  'PUT',
  'HEAD',
  'OPTIONS',
  'QUERY',
  'get',
  'G@T',
  'X'.repeat(300),
  '',
]
const PATHS = [
  '/portal/../../../etc/passwd',
  '/portal/..%2f..%2f..%2fetc%2fpasswd',
  '/portal/%2e%2e/%2e%2e/package.json',
  '/portal/..%5c..%5cpackage.json',
  '/portal/%252e%252e%252fpackage.json',
  '/portal/%00.js',
  '/portal//etc/passwd',
  '/portal/constructor',
  '/portal/__proto__',
  '/v1/services/__proto__',
  '/v1/services/constructor/slots/production',
  '/v1/services/guestbook/slots/__proto__',
  '/v1/operations/toString',
  '/v1/nodes/__proto__/drain',
  `/v1/services/${'a'.repeat(8000)}`,
  '/v1/services/%ff%fe',
  '/v1/services/%zz',
  '/v1/services/\u{fffd}',
  '//v1/services',
  '/v1/../v1/services',
  '/v1/services/guestbook/..;/x',
  'http://evil.example/v1/services',
  '*',
  `${INSTANCE}/proxy/../../../../../../../v1/services`,
  `${SLOT}/instances/__proto__/proxy/`,
  `${INSTANCE}/proxy/%0d%0aset-cookie:%20a=b`,
]
const QUERIES = [
  'wait=-1',
  'wait=1e9',
  'wait=x',
  'wait=0&wait=1',
  '__proto__=x',
  'a[b]=c',
  '%zz',
  'limit=99999999999999999999',
  'x'.repeat(9000),
  'after=-1',
  'kind=%00',
  'tail=1e5',
  '?&&==',
]
const TYPES = [
  'application/json',
  'application/json; charset=utf-16',
  'APPLICATION/JSON',
  'text/plain',
  'application/xml',
  'multipart/form-data; boundary=x',
  'application/x-www-form-urlencoded',
  'application/gzip',
  'application/zip',
  '',
  'x',
  `application/json;${'a'.repeat(3000)}`,
  'application/json, text/plain',
]
const FIELDS: readonly string[] = [
  'host: evil.example',
  'host: 127.0.0.1.evil.example',
  'host:',
  'origin: http://evil.example',
  'origin: null',
  'sec-fetch-site: cross-site',
  'if-match: "x"',
  `if-match: ${'"a",'.repeat(500)}`,
  'if-none-match: *',
  'idempotency-key: "',
  'idempotency-key: __proto__',
  'last-event-id: -1',
  'last-event-id: 1e309',
  'authorization: Basic YTpi',
  'authorization: Bearer',
  `authorization: Bearer ${'x'.repeat(5000)}`,
  'x-request-id: {"level":60}\tx',
  'x-vipswap-endpoint: __proto__',
  'expect: 100-continue',
  'expect: nonsense',
  'content-encoding: gzip',
  'transfer-encoding: gzip, chunked',
  'upgrade: websocket\r\nconnection: upgrade',
  'upgrade: h2c\r\nconnection: upgrade, http2-settings\r\nhttp2-settings: AAMAAABkAAQAAP__',
  'connection: close, authorization',
  'x-http-method-override: DELETE',
  'user-agent: <script>alert(1)</script>\u001b[2J',
  '__proto__: x',
]
const VALUES = [
  'null',
  'true',
  '-1',
  '1e309',
  '-0',
  '0.1',
  '9007199254740993',
  '""',
  '"\\u0000"',
  '"\\ud800"',
  '"__proto__"',
  '[]',
  '{}',
  '[[]]',
  '{"__proto__":{"polluted":1}}',
  '{"constructor":{"prototype":{"polluted":1}}}',
  '"<script>alert(1)</script>"',
  '"\\u001b[2J"',
  `"${'x'.repeat(5000)}"`,
]

/** One request as its bytes; it speaks of the package `digest`. */
export function hostileRequest(random: Random, token: string | null, digest = DIGEST): Buffer {
  const pick = <T>(from: readonly T[]): T => {
    const found = from[random(from.length)]
    if (found === undefined) throw new Error('nothing to pick from')
    return found
  }
  let [method, path, body] = pick(CALLS)
  let bytes: Buffer =
    body === undefined ? Buffer.alloc(0) : Buffer.from(JSON.stringify(body).replaceAll(DIGEST, digest))
  let type = 'application/json'
  const fields: string[] = []
  const twists = 1 + random(3)
  for (let twist = 0; twist < twists; twist++) {
    const which = random(8)
    if (which === 0) method = pick(METHODS)
    else if (which === 1) path = pick(PATHS)
    else if (which === 2) path += `${path.includes('?') ? '&' : '?'}${pick(QUERIES)}`
    else if (which === 3) type = pick(TYPES)
    else if (which === 4) fields.push(pick(FIELDS))
    else bytes = twisted(bytes, random, pick)
  }
  const head = [
    `${method} ${path} HTTP/1.1`,
    ...(fields.some(field => field.startsWith('host')) ? [] : ['host: localhost']),
    ...(token === null || fields.some(field => field.startsWith('authorization'))
      ? []
      : [`authorization: Bearer ${token}`]),
    ...(type === '' || bytes.length === 0 ? [] : [`content-type: ${type}`]),
    ...(bytes.length === 0 || fields.some(field => field.startsWith('transfer'))
      ? []
      : [`content-length: ${bytes.length}`]),
    ...(fields.some(field => field.includes('connection')) ? [] : ['connection: close']),
    ...fields,
    '',
    '',
  ]
  return Buffer.concat([Buffer.from(head.join('\r\n'), 'latin1'), bytes])
}

function twisted(bytes: Buffer, random: Random, pick: <T>(from: readonly T[]) => T): Buffer {
  const text = bytes.length === 0 ? '{}' : bytes.toString()
  switch (random(9)) {
    case 0:
      return Buffer.from(pick(VALUES))
    case 1:
      // Another value in the place of one.
      return Buffer.from(text.replace(/:("[^"]*"|\d+|null)/, () => `:${pick(VALUES)}`))
    case 2:
      return Buffer.from(text.replace('{', `{"__proto__":${pick(VALUES)}${text === '{}' ? '' : ','}`))
    case 3:
      // A key twice: the last one counts, or none.
      return Buffer.from(text.replace(/^\{("[^"]+":)/, `{$1${pick(VALUES)},$1`))
    case 4:
      return Buffer.from(
        text.replace(
          /"(\w+)":/,
          () => `"${pick(['constructor', 'toString', 'hasOwnProperty', '', 'a.b', '\\u0000'])}":`,
        ),
      )
    case 5: {
      const depth = pick([100, 10_000, 100_000])
      return Buffer.from(pick(['[', '{"a":', '{"configuration":{"roles":']).repeat(depth))
    }
    case 6: {
      const copy = Buffer.from(text)
      copy[random(copy.length)] = random(256)
      return copy
    }
    case 7:
      return Buffer.from(text.slice(0, random(text.length)))
    default:
      return Buffer.concat([
        pick([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from([0xff, 0xfe]), Buffer.alloc(64)]),
        bytes,
      ])
  }
}
