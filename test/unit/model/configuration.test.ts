import t from 'tap'
import { makeCertificate } from '../../support/certificates.ts'
import { loadConfiguration } from '../../../src/model/load-configuration.ts'
import { loadDefinition } from '../../../src/model/load-definition.ts'

const loaded = loadDefinition(
  'service.yaml',
  'name: a\nversion: "1"\nroles: { web: { command: x, settings: { motd: hi, level: 1 }, certificates: { site: }, endpoints: { tls: { protocol: https, port: 443 } } }, front: { upstreams: ["h:1"], endpoints: { h: { port: 80 } } } }',
)
if (!('definition' in loaded)) throw new Error(loaded.faults[0]?.message)
const { definition } = loaded
const nothing = { kindOf: () => null, textOf: () => null, now: 0 }

function messagesOf(text: string): string[] {
  const result = loadConfiguration('service.config.yaml', text, definition, nothing)
  return 'faults' in result ? result.faults.map(fault => fault.message) : []
}

t.test('a configuration changes counts and values, kept as written', async t => {
  t.strictSame(
    loadConfiguration('c.yaml', 'roles: { web: { instances: 3, settings: { level: 2.50 } } }', definition, nothing),
    {
      configuration: { roles: { web: { instances: 3, settings: { level: '2.50' } } } },
      certificates: [],
      warnings: [],
    },
  )
})

t.test('roles and settings the definition does not have are refused with the nearest that it has', async t => {
  t.strictSame(
    messagesOf('roles:\n  wbe: { instances: 2 }\n  web:\n    settings: { mood: x, levle: 2 }\n    instnces: 1\n'),
    [
      'service.config.yaml:2:3 roles.wbe: found "wbe", which is no role of a; write web',
      'service.config.yaml:4:17 roles.web.settings.mood: found "mood", which the definition does not name; write motd',
      'service.config.yaml:4:26 roles.web.settings.levle: found "levle", which the definition does not name; write level',
      'service.config.yaml:5:5 roles.web.instnces: found an unknown key "instnces"; write instances',
    ],
  )
  t.match(messagesOf('roles: { constructor: {} }'), [/no role of a/], 'names of the prototype are no roles')
  t.match(messagesOf('roles: { front: { instances: 5 } }'), [/found 5 for 1 upstreams/])
  t.match(messagesOf(''), [/found nothing; write a mapping/])
})

t.test('certificates are read beside the file, and stand in the configuration by id alone', async t => {
  const now = Date.now()
  const made = await makeCertificate({ names: ['a.test'], days: 30 })
  const soon = await makeCertificate({ names: ['a.test'], days: 5 })
  const old = await makeCertificate({ names: ['a.test'], days: -2 })
  const files: Record<string, string> = {
    'tls/site.pem': made.chain + made.key,
    'tls/site.crt': made.chain,
    'tls/site.key': made.key,
    'soon.pem': soon.key + soon.chain,
    'old.pem': old.chain + old.key,
  }
  const load = (certificates: string) =>
    loadConfiguration('c.yaml', `roles: { web: { certificates: { ${certificates} } } }`, definition, {
      kindOf: path => (Object.hasOwn(files, path) ? 'file' : null),
      textOf: path => files[path] ?? null,
      now,
    })
  const loadedOne = load('site: tls/site.pem')
  if (!('configuration' in loadedOne)) throw new Error(JSON.stringify(loadedOne.faults))
  const [certificate] = loadedOne.certificates
  t.match(certificate, { chain: made.chain, key: made.key, names: ['a.test'] })
  t.strictSame(loadedOne.configuration, { roles: { web: { certificates: { site: { id: certificate?.id } } } } })
  t.notMatch(JSON.stringify(loadedOne.configuration), /PRIVATE KEY/)
  const apart = load('site: { cert: ./tls/site.crt, key: tls/site.key }')
  t.strictSame(apart, loadedOne, 'the same in two files')
  const near = load('site: soon.pem')
  t.match('warnings' in near ? near.warnings.map(({ message }) => message) : [], [
    /roles.web.certificates.site: the certificate expires on .*, in [45] days; renew it soon/,
  ])
  for (const [written, message] of [
    ['site: old.pem', /site: the certificate expired on \d{4}-\d\d-\d\d; give a current one/],
    ['site: gone.pem', /found "gone.pem", which is not in the package/],
    ['sit: soon.pem', /found "sit", which the definition does not name; write site/],
    ['site: { cert: tls/site.pem }', /certificates.site.key: is missing; write text/],
    ['site: 5', /certificates.site: found 5; write text or a mapping with any of cert, key/],
  ] as const) {
    const result = load(written)
    t.match('faults' in result ? result.faults.map(fault => fault.message) : [], [message])
  }
})
