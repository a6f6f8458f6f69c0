import t from 'tap'
import { loadDefinition } from '../../../src/model/load-definition.ts'
import type { Fault } from '../../../src/model/fault.ts'

const MINIMAL = `name: guestbook
version: 1.0.0
roles:
  web:
    command: node server.js
    instances: 4
    endpoints:
      http: { protocol: http, port: 8080 }
    probe: { path: /healthz }
`

function faultsOf(text: string, file = 'service.yaml'): readonly Fault[] {
  const loaded = loadDefinition(file, text, {
    kindOf: path => (path === '.' || path === 'web' ? 'directory' : path === 'file' ? 'file' : null),
    textOf: () => 'nothing much',
    now: 0,
  })
  return 'faults' in loaded ? loaded.faults : []
}

function messagesOf(text: string, file = 'service.yaml'): string[] {
  return faultsOf(text, file).map(fault => fault.message)
}

function warningsOf(text: string): string[] {
  const loaded = loadDefinition('service.yaml', text)
  if ('faults' in loaded) throw new Error(loaded.faults.map(fault => fault.message).join('\n'))
  return loaded.warnings.map(warning => warning.message)
}

/** The minimal definition with lines put under `roles.web`, or at the top. */
const withRole = (...lines: string[]) => MINIMAL + lines.map(line => `    ${line}\n`).join('')
const withTop = (...lines: string[]) => lines.map(line => `${line}\n`).join('') + MINIMAL

t.test('the minimal definition gets every default', async t => {
  const loaded = loadDefinition('service.yaml', MINIMAL)
  t.match(loaded, { warnings: [] })
  t.strictSame('definition' in loaded ? JSON.parse(JSON.stringify(loaded.definition)) : null, {
    name: 'guestbook',
    version: '1.0.0',
    upgradeDomainCount: 5,
    requires: null,
    breaksData: false,
    platform: { version: null, trustLevel: 'full' },
    vips: { production: { host: '127.0.0.1', portOffset: 0 }, staging: { host: '127.0.0.1', portOffset: 1 } },
    hostNames: { production: 'guestbook.localhost', staging: 'staging.guestbook.localhost' },
    roles: {
      web: {
        name: 'web',
        kind: 'web',
        command: 'node server.js',
        upstreams: [],
        path: '.',
        instances: 4,
        endpoints: [
          {
            name: 'http',
            protocol: 'http',
            port: 8080,
            internal: false,
            backend: 'h1',
            certificates: [],
            clientAuth: null,
            http2: false,
            proxyProtocol: false,
            forwarded: false,
            maxBodyBytes: null,
            timeouts: { connectMs: null, responseMs: null, idleMs: null },
          },
        ],
        probe: {
          kind: 'http',
          endpoint: 'http',
          path: '/healthz',
          intervalMs: 1000,
          timeoutMs: 2000,
          healthy: 1,
          unhealthy: 3,
        },
        startTimeoutMs: 1_800_000,
        drainTimeoutMs: 30_000,
        stopTimeoutMs: 30_000,
        startup: [],
        localStorage: [],
        settings: {},
        env: {},
        size: null,
        certificates: {},
        affinity: 'none',
        balancing: 'least',
        slowStartMs: 0,
        weights: [],
        maxConcurrent: null,
        maxQueue: 1000,
        ejection: {},
        order: null,
        capacityFloor: null,
      },
    },
  })
})

t.test('the same definition as JSON gives the same result', async t => {
  const json = JSON.stringify(
    {
      name: 'guestbook',
      version: '1.0.0',
      roles: {
        web: {
          command: 'node server.js',
          instances: 4,
          endpoints: { http: { protocol: 'http', port: 8080 } },
          probe: { path: '/healthz' },
        },
      },
    },
    null,
    '\t',
  )
  t.strictSame(loadDefinition('service.json', json), loadDefinition('service.yaml', MINIMAL))
})

t.test('defaults follow what is there', async t => {
  const text = `name: App
version: "1.10"
vips: { production: 10.0.0.5, staging: "[fd00::5]:+1000" }
roles:
  web:
    command: [node, server.js]
    endpoints: { api: { port: 0 } }
    settings: { ratio: 1.10, on: true, motd: hello }
    localStorage: { cache: { size: 2MiB }, scratch: {} }
    startTimeout: 1m30s
  work: { command: node worker.js }
  front: { upstreams: ["127.0.0.1:3000", "[::1]:3000"], endpoints: { http: { port: 80, protocol: tcp } } }
`
  const loaded = loadDefinition('service.yaml', text, {
    kindOf: path => (path === 'web' ? 'directory' : null),
    textOf: () => null,
    now: 0,
  })
  if (!('definition' in loaded)) throw new Error(JSON.stringify(loaded.faults))
  const { roles, vips, hostNames } = loaded.definition
  t.strictSame(vips, {
    production: { host: '10.0.0.5', portOffset: 0 },
    staging: { host: 'fd00::5', portOffset: 1000 },
  })
  t.equal(hostNames.staging, 'staging.app.localhost')
  t.match(roles['web'], { path: 'web', kind: 'web', probe: { kind: 'tcp', endpoint: 'api' }, startTimeoutMs: 90_000 })
  t.strictSame(roles['web']?.settings, { ratio: '1.10', on: 'true', motd: 'hello' }, 'settings are texts as written')
  t.strictSame(roles['web']?.localStorage, [
    { name: 'cache', sizeBytes: 2 * 1024 * 1024, cleanOnRecycle: false },
    { name: 'scratch', sizeBytes: 100 * 1024 * 1024, cleanOnRecycle: false },
  ])
  t.match(roles['work'], { path: '.', kind: 'worker', probe: { kind: 'process' }, instances: 1 })
  t.match(roles['front'], { command: null, instances: 2, upstreams: ['127.0.0.1:3000', '[::1]:3000'] })
})

t.test('a fault names file, line, column, what was found and what to write', async t => {
  const bad = MINIMAL.replace('http: { protocol: http, port: 8080 }', 'http:\n        port: 99999')
  t.strictSame(messagesOf(bad), [
    'service.yaml:9:15 roles.web.endpoints.http.port: found 99999; write a whole number from 0 to 65535',
  ])
  t.match(faultsOf(bad)[0], {
    file: 'service.yaml',
    line: 9,
    column: 15,
    path: 'roles.web.endpoints.http.port',
    found: 'found 99999',
    expected: 'write a whole number from 0 to 65535',
  })
})

t.test('all faults of a file are reported together, in the order of its lines', async t => {
  const found = messagesOf(`nam: guestbook
version: 1.0
upgradeDomainCount: 21
roles:
  9web: {}
  web:
    comand: node server.js
    kind: wep
    instances: -1
    startTimeout: 30
    startup: [ok, 5]
    endpoints:
      http: { port: "80", protocol: htpp, extra: 1 }
    probe: { path: healthz, endpoint: htp }
  tool:
    upstreams: [localhost]
`)
  t.strictSame(found, [
    'service.yaml:1:1 nam: found an unknown key "nam"; write name',
    'service.yaml:2:10 version: found 1.0; write it in quotes: "1.0"',
    'service.yaml:3:21 upgradeDomainCount: found 21; write a whole number from 1 to 20',
    'service.yaml:5:3 roles.9web: found an unknown key "9web"; write a name of letters, digits, - and _ that begins with a letter',
    'service.yaml:7:5 roles.web.comand: found an unknown key "comand"; write command',
    'service.yaml:8:11 roles.web.kind: found "wep"; write web (one of web, worker)',
    'service.yaml:9:16 roles.web.instances: found -1; write a whole number from 0 to 10000',
    'service.yaml:10:19 roles.web.startTimeout: found 30; write a duration such as 500ms, 30s, 5m or 1h30m',
    'service.yaml:11:19 roles.web.startup.1: found 5; write text or a list, for example [one, two]',
    'service.yaml:13:21 roles.web.endpoints.http.port: found "80"; write a whole number from 0 to 65535',
    'service.yaml:13:37 roles.web.endpoints.http.protocol: found "htpp"; write http (one of http, https, tcp)',
    'service.yaml:13:43 roles.web.endpoints.http.extra: found an unknown key "extra"; remove it; known here: backend, certificates, clientAuth, http2, proxyProtocol, serverTiming, forwarded, maxBody, timeouts, internal',
    'service.yaml:14:20 roles.web.probe.path: found "healthz"; write a path that begins with /, for example /healthz',
    'service.yaml:14:39 roles.web.probe.endpoint: found "htp", which is no endpoint of this role; write http',
    'service.yaml:16:17 roles.tool.upstreams.0: found "localhost"; write host:port, for example 127.0.0.1:3000',
  ])
})

t.test('what is no definition at all is refused with a place', async t => {
  for (const [text, message] of [
    ['', 'service.yaml:1:1: found nothing; write a mapping with any of'],
    ['just words', 'service.yaml:1:1: found "just words"; write a mapping'],
    ['- a\n', 'service.yaml:1:1: found a list; write a mapping'],
    ['name: [', 'service.yaml:1:8: cannot be read'],
    [
      'name: a\nname: b\nversion: "1"\nroles: { web: { command: x } }\n',
      'service.yaml:2:1: found "name: b" a second time; write each key once',
    ],
    [`${MINIMAL}---\na: 1\n`, 'service.yaml:10:1: found a second document; write one document per file'],
    [
      'name: *gone\nversion: "1"\nroles: { web: { command: x } }\n',
      'service.yaml:1:7 name: found nothing; write a name',
    ],
    [MINIMAL.replace('name: guestbook', 'name: !x guestbook'), 'service.yaml:1:7: cannot be read: Unresolved tag: !x'],
    [`# ${'x'.repeat(1024 * 1024)}`, 'service.yaml:1:1: found more than 1 MiB'],
  ] as const) {
    t.equal(messagesOf(text)[0]?.slice(0, message.length), message)
  }
  t.match(messagesOf('{"name": "a",}', 'service.json'), [/^service\.json:1:14: cannot be read: .*write JSON here/])
})

t.test('required keys that are missing are named with what to write', async t => {
  t.strictSame(messagesOf('roles: {}\n'), [
    'service.yaml:1:1 name: is missing; write a name of letters, digits, - and _ that begins with a letter',
    'service.yaml:1:1 roles: found nothing in it; write at least 1',
    'service.yaml:1:1 version: is missing; write a version such as 1.0.0: letters, digits and . + _ -, at most 64',
  ])
})

t.test('faults of meaning', async t => {
  const cases: readonly (readonly [string, string, RegExp])[] = [
    [
      'both command and upstreams',
      withRole('upstreams: ["127.0.0.1:3000"]'),
      /10:16 roles.web.upstreams: found both.*keep one/,
    ],
    [
      'neither of them',
      MINIMAL.replace(/ +command.*\n/, ''),
      /4:3 roles.web: has neither command nor upstreams; write command/,
    ],
    ['a folder outside', withRole('path: ../other'), /found "..\/other", which leaves the package/],
    ['an absolute folder', withRole('path: /etc'), /leaves the package/],
    ['a drive', withRole('path: "C:\\\\x"'), /leaves the package/],
    ['a folder that is not there', withRole('path: wep'), /roles.web.path: found "wep", which is not in the package/],
    ['a file as folder', withRole('path: file'), /which is a file; write the folder that holds it/],
    [
      'a public endpoint without port',
      MINIMAL.replace(', port: 8080', ''),
      /8:7 .*http.port: is missing; write the public port/,
    ],
    [
      'a web role without endpoints',
      MINIMAL.replace(/ {4}endpoints:\n.*\n.*\n/, '    kind: web\n'),
      /found web without endpoints/,
    ],
    [
      'a probe of nothing',
      'name: a\nversion: "1"\nroles: { w: { command: x, probe: { path: / } } }',
      /found http on a role without endpoints/,
    ],
    [
      'a path for a tcp probe',
      MINIMAL.replace('path: /healthz', 'path: /healthz, protocol: tcp'),
      /found a path for a tcp probe/,
    ],
    [
      'an endpoint that is not there',
      MINIMAL.replace('path: /healthz', 'endpoint: https'),
      /which is no endpoint of this role; write http/,
    ],
    [
      'requires',
      withTop('requires: newest'),
      /1:11 requires: found "newest"; write a range of versions such as ">=1.5.0"/,
    ],
    [
      'an address that is none',
      withTop('vips: { production: 300.1.1.1 }'),
      /vips.production: found "300.1.1.1"; write an IP address/,
    ],
    ['a variable of ours', withRole('env: { PORT: "1" }'), /10:12 roles.web.env.PORT: PORT is set by vipswap/],
    ['variables that collide', withRole('settings: { a-b: x, A_B: y }'), /becomes SETTING_A_B, as "a-b" does/],
    ['roles that collide', `${MINIMAL}  WEB: { command: x }\n`, /10:3 roles.WEB: becomes WEB, as "web" does/],
    [
      'internal endpoints that collide',
      'name: a\nversion: "1"\nroles:\n  a: { command: x, endpoints: { b_c: { internal: true } } }\n  a_b: { command: x, endpoints: { c: { internal: true } } }\n',
      /becomes ENDPOINT_A_B_C, as roles.a.endpoints.b_c does/,
    ],
    [
      'instances beside upstreams',
      'name: a\nversion: "1"\nroles: { w: { upstreams: ["h:1"], instances: 2, endpoints: { h: { port: 1 } } } }',
      /found 2 for 1 upstreams/,
    ],
    [
      'upstreams nobody reaches',
      'name: a\nversion: "1"\nroles: { w: { upstreams: ["h:1"] } }',
      /has upstreams and no endpoint/,
    ],
    ['a key that would reach the prototype', withRole('env: { __proto__: x }'), /unknown key "__proto__"/],
  ]
  for (const [name, text, message] of cases) {
    t.test(`${name} is refused`, async t => {
      const found = messagesOf(text)
      t.equal(found.length, 1, found.join('\n'))
      t.match(found[0], message)
    })
  }
})

t.test('ports of the two VIPs never clash unnoticed', async t => {
  const two = (extra: string, a: number, b: number) =>
    `name: a\nversion: "1"\n${extra}roles:\n  w: { command: x, endpoints: { a: { port: ${a} }, b: { port: ${b} } } }\n`
  t.strictSame(messagesOf(two('', 8080, 8081)), [
    'service.yaml:4:44 roles.w.endpoints.a.port: its staging VIP 127.0.0.1:8081 is taken by the production VIP of roles.w.endpoints.b.port; ' +
      'set vips: { staging: "127.0.0.1:+1000" }, or another port here',
  ])
  t.match(messagesOf(two('', 8080, 8080)), [/found 8080, which is the port of roles.w.endpoints.a.port too/])
  t.match(messagesOf(two('', 65535, 80)), [
    /its staging VIP would be port 65536; write a lower port or a smaller offset/,
  ])
  t.match(messagesOf(two('vips: { staging: 127.0.0.1 }\n', 80, 90)), [
    /:80 is taken by the production VIP of.*"127.0.0.1:\+1"/,
    /:90/,
  ])
  t.match(
    messagesOf(two('vips: { production: 0.0.0.0 }\n', 80, 81)),
    [/127.0.0.1:81 is taken/],
    'a wildcard takes every host',
  )
  t.strictSame(messagesOf(two('vips: { staging: 127.0.0.2 }\n', 80, 81)), [])
  t.strictSame(messagesOf(two('vips: { staging: 127.0.0.1:+1000 }\n', 8080, 8081)), [])
  t.strictSame(messagesOf(two('', 0, 0)), [], 'free ports never clash')
})

t.test('start-first is for what two processes of one instance can be', async t => {
  t.strictSame(messagesOf(withRole('order: start-first')), [])
  t.match(messagesOf(withRole('order: start-first', 'localStorage: { data: {} }')), [
    /roles.web.order: found start-first with local storage.*stop-first/,
  ])
  const worker = 'name: a\nversion: 1.0.0\nroles: { w: { command: run, instances: 2, order: start-first } }\n'
  t.match(messagesOf(worker), [/roles.w.order: found start-first with a worker/])
  const front = MINIMAL.replace('command: node server.js', "upstreams: ['127.0.0.1:1']").replace('instances: 4', '')
  t.match(messagesOf(`${front}    order: start-first\n`), [/found start-first with upstreams/])
  t.match(messagesOf(withRole('capacityFloor: 101%')), [/capacityFloor/])
})

t.test('what is accepted but doubtful gives a warning with a remedy', async t => {
  t.match(warningsOf(MINIMAL.replace('instances: 4', 'instances: 1')), [
    /6:16 roles.web.instances: one instance has none beside it when it fails.*deploy to staging and swap/,
  ])
  t.match(
    warningsOf(MINIMAL.replace(/ +instances.*\n/, '')),
    [/4:3 roles.web: one instance/],
    'also where it is the default',
  )
  t.match(warningsOf(withTop('upgradeDomainCount: 1')), [/with 1 every upgrade stops all instances together/])
  t.match(warningsOf(MINIMAL.replace('instances: 4', 'instances: 1\n    order: stop-first')), [
    /6:16 roles.web.instances: one instance cannot .*deploy to staging and swap/,
  ])
  t.match(warningsOf(withRole('capacityFloor: 100%')), [
    /capacityFloor: while a domain is down 3 of 4 instances are left.*write 3 or less, more instances/,
  ])
  t.strictSame(warningsOf(withRole('capacityFloor: 75%')), [])
  t.strictSame(warningsOf(withRole('capacityFloor: 4', 'order: start-first')), [])
  t.strictSame(warningsOf(MINIMAL.replace('port: 8080', 'port: 8080, backend: h2c')), [])
  t.strictSame(warningsOf(withTop('platform: { version: "1", trustLevel: partial }')), [])
  t.strictSame(warningsOf(withRole('size: small', 'order: stop-first', 'affinity: cookie', 'maxConcurrent: 5')), [])
})
