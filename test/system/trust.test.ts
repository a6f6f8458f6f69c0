import { readFileSync, readdirSync, statSync, writeFileSync, appendFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { openPackage } from '../../src/cli/package-source.ts'
import { createKeyPair, readSecretKey, signMessage } from '../../src/core/minisign.ts'
import { readPackage } from '../../src/packages/read-package.ts'
import { statementOf } from '../../src/packages/trust.ts'
import { tempDir } from '../support/temp.ts'
import { until } from '../support/until.ts'
import { pidOf, smallPackage, startSystem, type System } from './support/system.ts'

const FIRST = 'hunter2-first-value'
const SECOND = 'swordfish-second-value'

const environmentOf = async (system: System): Promise<Record<string, string>> =>
  (await (await fetch(`${await system.url('small', 'production')}/env`)).json()) as Record<string, string>

/** Every file below a folder that holds a text in plain sight. */
function filesWith(folder: string, text: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true }).flatMap(entry => {
    const path = join(entry.parentPath, entry.name)
    return entry.isFile() && readFileSync(path, 'latin1').includes(text) ? [path] : []
  })
}

const commandLines = (): string =>
  numbers()
    .map(pid => read(pid, 'cmdline'))
    .join('\n')

/** Signs as `vipswap sign` does; test/integration/cli runs the verb itself. */
async function sign(path: string, secretFile: string): Promise<void> {
  const { digest, definition } = (await readPackage(path)).release
  const statement = statementOf({ digest, name: definition.name, version: definition.version })
  writeFileSync(`${path}.minisig`, signMessage(statement, readSecretKey(secretFile), 'x'))
}

async function upload(system: System, path: string): Promise<string> {
  const { body, kind, signature } = await openPackage(path)
  return (await system.client.uploadPackage(body, kind, signature)).digest
}

t.test('only what a trusted key signed is run, and what is secret is seen by nobody else', async t => {
  const folder = tempDir(t)
  const { publicLine, secretFile } = createKeyPair()
  const config = `packages: { requireSignature: true, trustedKeys: { release: ${publicLine} } }\n`
  const system = await startSystem(t, { nodes: 1, config })
  const { client } = system
  const extra = '    settings: { DB_PASSWORD: { secret: true }, COLOUR: red }\n'
  const first = smallPackage(t, { version: '1.0.0', instances: 2, extra })
  const configuration = join(folder, 'c.yaml')
  writeFileSync(configuration, 'roles: { web: { settings: { DB_PASSWORD: { file: password } } } }\n')
  writeFileSync(join(folder, 'password'), `${FIRST}\n`, { mode: 0o600 })

  await t.rejects(upload(system, first), { code: 'signature_required' })
  t.strictSame(readdirSync(join(system.data, 'packages')), ['tmp'], 'it is not even kept')
  await sign(first, secretFile)
  const digest = await upload(system, first)
  await t.rejects(client.create('small', 'production', { package: digest }), {
    code: 'invalid_configuration',
    message: /role web needs a value for its secret DB_PASSWORD/,
  })
  const deployed = await system.cli('deploy', first, '--config', configuration)
  t.match(deployed, { code: 0, stderr: /signed by release/ })
  t.match(await environmentOf(system), { SETTING_DB_PASSWORD: FIRST, SETTING_COLOUR: 'red' })

  const second = smallPackage(t, { version: '2.0.0', instances: 2, extra })
  await sign(second, secretFile)
  appendFileSync(join(second, 'server.js'), '// changed after it was signed\n')
  await t.rejects(upload(system, second), { code: 'signature_invalid', message: /is not of package small 2\.0\.0/ })
  await sign(second, secretFile)
  const next = await upload(system, second)
  appendFileSync(join(second, 'server.js'), '// and changed again\n')
  await sign(second, secretFile)
  const { body, kind, signature } = await openPackage(second)
  const { warnings } = await client.uploadPackage(body, kind, signature)
  t.match(warnings.join(), `small 2.0.0 is here already with other content (${next.slice(0, 12)})`)

  // A change of a secret is a change of settings: it is in the plan, by name, and walks the domains.
  writeFileSync(join(folder, 'password'), SECOND)
  const other = { roles: { web: { settings: { DB_PASSWORD: SECOND } } } }
  const plan = await client.plan('small', 'production', { upgrade: { package: next, configuration: other } })
  t.match(plan.upgrade, { signedBy: ['release'] })
  t.match(JSON.stringify(plan), /settings DB_PASSWORD get other values/)
  const upgrade = await client.upgrade('small', 'production', { package: next, mode: 'unmonitored-auto' })
  t.equal((await client.follow(upgrade.operationId)).status, 'Succeeded')
  t.match(await environmentOf(system), { SETTING_DB_PASSWORD: FIRST, ROLE_VERSION: '2.0.0' })
  const applied = await system.cli('config', 'apply', configuration)
  t.equal(applied.code, 0, applied.stderr)
  t.match(await environmentOf(system), { SETTING_DB_PASSWORD: SECOND })
  await t.rejects(client.configure('small', 'production', { configuration: other }), { code: 'nothing_to_do' })

  // By another agent, and without a controller, an instance that dies comes back with its secret.
  process.kill(pidOf(system, 'node-0'), 'SIGKILL')
  process.kill(pidOf(system, 'controller'), 'SIGKILL')
  const servers = processesOf(system.data)
  t.equal(servers.length, 2)
  for (const pid of servers) process.kill(pid, 'SIGKILL')
  const isBack = async (): Promise<boolean> =>
    (await environmentOf(system).catch(() => null))?.['SETTING_DB_PASSWORD'] === SECOND
  await until('it is back', isBack, { timeoutMs: 30_000 })
  const isReady = async (): Promise<boolean> => (await fetch(`${system.admin}/readyz`).catch(() => null))?.ok === true
  await until('the controller is back', isReady, { timeoutMs: 30_000 })

  const receipt = await client.receipt(upgrade.operationId)
  t.match(receipt, { signedBy: ['release'] })
  t.match((await client.service('small')).slots.production, { signedBy: ['release'] })
  const slot = '/v1/services/small/slots/production'
  const paths = [
    '/v1/services',
    '/v1/services/small',
    slot,
    '/v1/operations',
    '/v1/nodes',
    '/metrics',
    `${slot}/health`,
  ]
  paths.push(`${slot}/instances/web_IN_0/explain`, `${slot}/instances/web_IN_0/logs`, '/v1/services/small/traffic')
  for (const { id } of await client.operations()) paths.push(`/v1/operations/${id}`, `/v1/operations/${id}/receipt`)
  const answers = await Promise.all(paths.map(async path => (await fetch(`${system.admin}${path}`)).text()))
  const events = await system.cli('events', '--json')
  const said = [...answers, ...Object.values(events), ...Object.values(deployed), ...Object.values(applied)]
  const seen = [...said, JSON.stringify(plan), system.said(), commandLines()].join('\n')
  t.notMatch(seen, FIRST)
  t.notMatch(seen, SECOND)
  t.match(seen, 'DB_PASSWORD', 'its name is no secret: what was searched does speak of it')
  t.strictSame(filesWith(system.data, FIRST), [])
  t.strictSame(filesWith(system.data, SECOND), [])
  t.ok(
    filesWith(system.data, 'sealed:1:').includes(join(system.data, 'nodes/node-0/agent.json')),
    'files are looked into',
  )
  for (const path of [
    'secrets.key',
    'nodes/node-0/secrets.key',
    'nodes/node-0/secrets.sealed',
    'nodes/node-0/agent.json',
  ])
    t.equal(statSync(join(system.data, path)).mode & 0o777, 0o600, path)
})

/** Role processes of a data folder. */
function processesOf(data: string): number[] {
  return numbers().filter(
    pid => read(pid, 'cmdline').startsWith('node\0server.js') && read(pid, 'environ').includes(`RoleRoot=${data}`),
  )
}

function numbers(): number[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(Number)
}

function read(pid: number, what: 'cmdline' | 'environ'): string {
  try {
    return readFileSync(`/proc/${pid}/${what}`, 'latin1')
  } catch {
    // It has ended meanwhile.
    return ''
  }
}
