import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { kill } from 'node:process'
import t from 'tap'
import { tempDir } from '../support/temp.ts'
import { until } from '../support/until.ts'
import { pidOf, processesIn, smallPackage, startSystem } from './support/system.ts'

t.test('hooks are asked at their steps, by command and by HTTP, and their no stops the step', async t => {
  const folder = tempDir(t)
  const heard: Record<string, unknown>[] = []
  const server = createServer((request, response) => {
    let text = ''
    request.setEncoding('utf8').on('data', (part: string) => {
      text += part
    })
    request.on('end', () => {
      heard.push({ path: request.url, ...(JSON.parse(text) as object) })
      response.end('noted')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  // Exit status from a file: a person's word. Says what it was given.
  const script = join(folder, 'gate.js')
  writeFileSync(
    script,
    `const fs = require('node:fs')
const path = require('node:path')
fs.appendFileSync(path.join(__dirname, 'asked'), JSON.stringify(process.env) + '\\n')
console.log('said for domain ' + process.env.VIPSWAP_DOMAIN)
process.exit(Number(fs.readFileSync(path.join(__dirname, 'word'), 'utf8')))
`,
  )
  const word = (code: number): void => writeFileSync(join(folder, 'word'), String(code))
  const asked = (): Record<string, string>[] => {
    try {
      return readFileSync(join(folder, 'asked'), 'utf8')
        .trim()
        .split('\n')
        .map(line => JSON.parse(line) as Record<string, string>)
    } catch {
      return []
    }
  }
  const command = `[${JSON.stringify(process.execPath)}, ${JSON.stringify(script)}]`
  process.env['DEPLOY_TOKEN'] = 'a secret of the shell that started it'
  t.teardown(() => delete process.env['DEPLOY_TOKEN'])
  const system = await startSystem(t, {
    config: `hooks:
  pre-swap: { command: ${command} }
  post-swap: { url: "${url}/all" }
services:
  small:
    hooks:
      post-swap: { url: "${url}/own" }
      confirm-domain: { command: ${command}, interval: 100ms }
      on-rollback: { url: "${url}/back" }
`,
  })
  const run = async (code: number, ...words: string[]): Promise<string> => {
    const outcome = await system.cli(...words)
    t.equal(outcome.code, code, `vipswap ${words.join(' ')}: ${outcome.stderr}`)
    return outcome.stderr
  }
  await run(0, 'deploy', smallPackage(t, { version: '1.0.0', instances: 2 }))
  await run(0, 'deploy', smallPackage(t, { version: '2.0.0', instances: 2 }), '--slot', 'staging')
  const production = await system.url('small', 'production')
  const version = async (): Promise<string | null> => (await fetch(production)).headers.get('x-version')

  word(3)
  t.match(await run(1, 'swap'), /said for domain/, 'what the hook said is told')
  t.equal(await version(), '1.0.0')
  word(0)
  await run(0, 'swap')
  t.equal(await version(), '2.0.0')
  t.match(heard, [
    { path: '/own', event: 'post-swap', kind: 'swap', service: 'small', fromVersion: '1.0.0', toVersion: '2.0.0' },
  ])
  const [first] = asked()
  t.match(first, { VIPSWAP_EVENT: 'pre-swap', VIPSWAP_SERVICE: 'small', VIPSWAP_TO_VERSION: '2.0.0' })
  t.notOk(Object.hasOwn(first ?? {}, 'DEPLOY_TOKEN'), 'nothing else of the environment is passed on')

  // A confirmation: not yet for a while, also while the controller is replaced, then yes for both domains.
  word(1)
  const digest = await system.client.service('small').then(({ slots }) => slots.staging?.package ?? '')
  const { operationId } = await system.client.upgrade('small', 'production', { package: digest, mode: 'auto' })
  const domains = (): number => asked().filter(({ VIPSWAP_EVENT }) => VIPSWAP_EVENT === 'confirm-domain').length
  await until('it was asked more than once', () => domains() > 2, { timeoutMs: 20_000 })
  const killed = pidOf(system, 'controller')
  kill(killed, 'SIGKILL')
  await until('another controller is there', () => pidOf(system, 'controller') !== killed, { timeoutMs: 20_000 })
  const message = await until(
    'it is asked again',
    async () => {
      const { progress } = await system.client.operation(operationId)
      return progress.message.includes('not yet') ? progress.message : null
    },
    { timeoutMs: 30_000, intervalMs: 50 },
  )
  t.match(message, /confirm-domain\/0 \(not yet: exit 1/)
  word(0)
  await until('it is done', async () => (await system.client.operation(operationId)).status === 'Succeeded', {
    timeoutMs: 30_000,
    intervalMs: 50,
  })
  t.equal(await version(), '1.0.0')

  // A no halts a walk that has no failureAction; its rollback is told.
  word(2)
  await run(1, 'upgrade', smallPackage(t, { version: '3.0.0', instances: 2 }), '--mode', 'auto')
  await run(0, 'rollback')
  t.equal(await version(), '1.0.0')
  await until('the rollback was told', () => heard.some(({ path }) => path === '/back'))
})

t.test('a hook that ignores SIGTERM does not outlive the controller that is stopped', async t => {
  const folder = tempDir(t)
  const script = join(folder, 'deaf.js')
  writeFileSync(script, `process.on('SIGTERM', () => {}); setInterval(() => {}, 1000)`)
  const system = await startSystem(t, {
    config: `hooks: { pre-domain: { command: [${JSON.stringify(process.execPath)}, ${JSON.stringify(script)}], timeout: 10m } }\n`,
  })
  const deployed = await system.cli('deploy', smallPackage(t, { version: '1.0.0', instances: 2 }))
  t.equal(deployed.code, 0, deployed.stderr)
  const upgrade = await system.cli('upgrade', smallPackage(t, { version: '2.0.0', instances: 2 }), '--no-wait')
  t.equal(upgrade.code, 0, upgrade.stderr)
  await until('the hook runs', () => processesIn(folder).length > 0, { timeoutMs: 20_000 })
  await system.stop()
  t.strictSame(processesIn(folder), [])
})
