import t from 'tap'
import { loadConfiguration } from '../../../src/model/load-configuration.ts'
import { loadDefinition } from '../../../src/model/load-definition.ts'
import { verifyProbesOf } from '../../../src/model/role-traffic.ts'

const text = (extra: string): string => `name: shop
version: 1.0.0
roles:
  web:
    command: node server.js
    instances: 2
    probe: { path: /healthz }
    endpoints:
      raw: { protocol: tcp, port: 10 }
      http: { protocol: http, port: 80 }
      grpc: { protocol: http, port: 90, backend: h2c }
      inner: { internal: true }
${extra}`

const load = (extra: string) => loadDefinition('service.yaml', text(extra))
const faults = (extra: string): string => {
  const result = load(extra)
  return 'faults' in result ? result.faults.map(({ message }) => message).join('\n') : ''
}
const role = (extra: string) => {
  const result = load(extra)
  const web = 'faults' in result ? undefined : result.definition.roles['web']
  if (web === undefined) throw new Error(faults(extra))
  return web
}

t.test('a slot setting keeps its text, and needs a value for each slot or a default', async t => {
  const web = role(`    settings: { level: 3, name: x }
    slotSettings: { store: { production: 1.10, staging: "off" }, level: { staging: 4 } }
`)
  t.strictSame(web.settings, { store: '1.10', level: '3', name: 'x' })
  t.strictSame(web.slotSettings, { store: { production: '1.10', staging: 'off' }, level: { staging: '4' } })
  t.match(faults('    slotSettings: { store: { staging: a } }\n'), /slotSettings\.store.*no value for production/)
  t.match(faults('    slotSettings: { store: { stage: a } }\n'), /unknown key "stage"/)
})

t.test('a configuration gives values of a slot to what the definition binds, and to nothing else', async t => {
  const definition = load('    slotSettings: { store: { production: a, staging: b } }\n')
  if ('faults' in definition) throw new Error(faults(''))
  const configure = (slotSettings: string) =>
    loadConfiguration(
      'service.config.yaml',
      `roles: { web: { slotSettings: ${slotSettings} } }`,
      definition.definition,
      { kindOf: () => null, textOf: () => null, now: 0 },
    )
  t.match(configure('{ store: { staging: 1.10 } }'), {
    configuration: { roles: { web: { slotSettings: { store: { staging: '1.10' } } } } },
  })
  t.match(configure('{ stor: { staging: x } }'), { faults: [{ message: /slotSettings\.stor.*store/ }] })
})

t.test('warm-up and verification have defaults', async t => {
  const web = role(`    warmUp: [{ path: /warm }, { path: /x, accept: [204, 300-308], timeout: 5s }]
    verify: [{ path: /work, kind: post, body: hi }, { path: /socket, kind: websocket }]
`)
  t.strictSame(web.warmUp, [
    { endpoint: 'http', path: '/warm', accept: [[200, 399]], timeoutMs: 90_000 },
    {
      endpoint: 'http',
      path: '/x',
      accept: [
        [204, 204],
        [300, 308],
      ],
      timeoutMs: 5000,
    },
  ])
  t.match(web.verify, [
    { kind: 'post', endpoint: 'http', path: '/work', body: 'hi' },
    { kind: 'websocket', endpoint: 'http', path: '/socket', body: null },
  ])
})

t.test("what --verify sends where nothing is said: a GET of the probe's path", async t => {
  const web = role('')
  t.equal(web.verify, undefined, 'and the identity of roles that say nothing is what it was')
  t.notOk(Object.hasOwn(web, 'slotSettings') || Object.hasOwn(web, 'warmUp'))
  t.match(verifyProbesOf({ ...web, probe: { ...web.probe, kind: 'http', endpoint: 'http', path: '/healthz' } }), [
    { kind: 'short', endpoint: 'http', path: '/healthz' },
  ])
  t.strictSame(verifyProbesOf({ ...web, probe: { ...web.probe, kind: 'process' } }), [])
})

for (const [extra, fault] of [
  ['    warmUp: [{ path: warm }]\n', /warmUp.*path/],
  ['    warmUp: [{ path: /w, endpoint: grpc }]\n', /speak h2c/],
  ['    warmUp: [{ path: /w, endpoint: raw }]\n', /no http or https endpoint/],
  ['    verify: [{ path: /w, endpoint: inner }]\n', /which no VIP leads to/],
  ['    verify: [{ path: /w, endpoint: htpt }]\n', /no http or https endpoint/],
  ['    verify: [{ path: /w, kind: long }]\n', /kind/],
  ['    verify: [{ path: /w, accept: [700] }]\n', /accept/],
] as const) {
  t.test(`fault: ${extra.trim()}`, async t => {
    t.match(faults(extra), fault)
  })
}

t.test('a secret has no value in a package', async t => {
  const web = role('    settings: { password: { secret: true }, colour: red }\n    slotSettings: { password: {} }\n')
  t.strictSame(web.secrets, ['password'])
  t.strictSame(web.settings, { password: '', colour: 'red' })
  t.equal(role('    settings: { colour: red }\n').secrets, undefined)
  const there =
    '    settings: { password: { secret: true } }\n    slotSettings: { password: { production: hunter2 } }\n'
  t.match(faults(there), /slotSettings\.password\.production: is a value of a secret; leave it out here/)
  t.match(faults('    settings: { password: { secret: false } }\n'), /settings\.password/)
  const loaded = load('    settings: { password: { secret: true }, colour: red }\n')
  if ('faults' in loaded) throw new Error('it is sound')
  const configured = (settings: string): string => {
    const contents = { kindOf: () => null, textOf: () => null, now: 0 }
    const file = `roles: { web: { settings: { ${settings} } } }`
    const result = loadConfiguration('service.config.yaml', file, loaded.definition, contents)
    return 'faults' in result ? result.faults.map(({ message }) => message).join('\n') : ''
  }
  t.match(configured('password: hunter2'), /settings\.password: is a value of a secret/)
  t.notMatch(configured('password: hunter2'), 'hunter2')
  t.match(configured('colour: { file: x }'), /settings\.colour: names a file; write the value itself/)
})
