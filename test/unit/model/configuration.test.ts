import t from 'tap'
import { loadConfiguration } from '../../../src/model/load-configuration.ts'
import { loadDefinition } from '../../../src/model/load-definition.ts'

const loaded = loadDefinition(
  'service.yaml',
  'name: a\nversion: "1"\nroles: { web: { command: x, settings: { motd: hi, level: 1 } }, front: { upstreams: ["h:1"], endpoints: { h: { port: 80 } } } }',
)
if (!('definition' in loaded)) throw new Error(loaded.faults[0]?.message)
const { definition } = loaded

function messagesOf(text: string): string[] {
  const result = loadConfiguration('service.config.yaml', text, definition)
  return 'faults' in result ? result.faults.map(fault => fault.message) : []
}

t.test('a configuration changes counts and values, kept as written', async t => {
  t.strictSame(loadConfiguration('c.yaml', 'roles: { web: { instances: 3, settings: { level: 2.50 } } }', definition), {
    configuration: { roles: { web: { instances: 3, settings: { level: '2.50' } } } },
    warnings: [],
  })
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

t.test('certificates are accepted with a warning', async t => {
  const result = loadConfiguration('c.yaml', 'roles: { web: { certificates: { tls: abc } } }', definition)
  t.match('warnings' in result ? result.warnings : [], [{ path: 'roles.web.certificates' }])
})
