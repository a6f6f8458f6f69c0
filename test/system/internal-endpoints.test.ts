import { mkdirSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { tempDir } from '../support/temp.ts'
import { until } from '../support/until.ts'
import { startSteadyLoad } from './support/steady-load.ts'
import { startSystem, type System } from './support/system.ts'

/** Asks the engine, over connections that stay open, and answers what it said; an engine of another deployment is an error. */
const WEB = `
const http = require('node:http')
const agent = new http.Agent({ keepAlive: true })
const endpoint = process.env.ENDPOINT_ENGINE_API
const server = http.createServer((request, response) => {
  if (request.url === '/healthz') return response.end('ok')
  if (request.url === '/endpoint') return response.end(endpoint)
  const fail = why => response.writeHead(500).end(why)
  http.get('http://' + endpoint + '/', { agent }, inner => {
    let text = ''
    inner.setEncoding('utf8').on('data', part => { text += part })
    inner.on('error', error => fail('inner: ' + error.message))
    inner.on('end', () => {
      if (inner.statusCode !== 200) return fail('inner ' + inner.statusCode + ' ' + text)
      const [deployment, version] = text.split(' ')
      if (deployment !== process.env.DEPLOYMENT_ID) return fail('crossed over to ' + deployment)
      response.end(version)
    })
  }).on('error', error => fail('inner: ' + error.message))
})
server.listen(process.env.PORT, process.env.HOST)
process.on('SIGTERM', () => { server.close(() => process.exit(0)); server.closeIdleConnections() })
`

const ENGINE = `
const http = require('node:http')
const server = http.createServer((request, response) => {
  response.end(process.env.DEPLOYMENT_ID + ' ' + process.env.ROLE_VERSION)
})
server.listen(process.env.PORT, process.env.HOST)
process.on('SIGTERM', () => { server.close(() => process.exit(0)); server.closeIdleConnections() })
`

/** Two roles; versions differ in the engine only. */
function innerPackage(t: Test, version: string): string {
  const folder = join(tempDir(t), 'p')
  for (const role of ['web', 'engine']) mkdirSync(join(folder, role), { recursive: true })
  writeFileSync(join(folder, 'web', 'server.js'), WEB)
  writeFileSync(join(folder, 'engine', 'server.js'), `// ${version}\n${ENGINE}`)
  writeFileSync(
    join(folder, 'service.yaml'),
    `name: inner
version: ${version}
roles:
  web:
    command: node server.js
    instances: 2
    endpoints:
      http: { protocol: http, port: 0 }
    probe: { path: /healthz, interval: 200ms }
  engine:
    kind: worker
    command: node server.js
    instances: 2
    endpoints:
      api: { protocol: http, internal: true }
    probe: { path: /, interval: 200ms }
`,
  )
  return folder
}

async function run(t: Test, system: System, ...words: string[]): Promise<void> {
  const { code, stderr } = await system.cli(...words)
  t.equal(code, 0, `vipswap ${words.join(' ')}: ${stderr}`)
}

async function reaches(host: string, port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ host, port })
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}

t.test(
  'roles reach each other through the proxy within their deployment, over upgrades and swaps, without a loss',
  async t => {
    const system = await startSystem(t, { config: 'workers: 2\n' })
    const packages = ['1.0.0', '2.0.0', '3.0.0'].map(version => innerPackage(t, version))
    await run(t, system, 'deploy', packages[0] ?? '')
    await run(t, system, 'deploy', packages[1] ?? '', '--slot', 'staging')
    const production = await system.url('inner', 'production')
    const staging = await system.url('inner', 'staging')
    const loads = [startSteadyLoad(`${production}/`, 3), startSteadyLoad(`${staging}/`, 1)]
    t.teardown(async () => Promise.all(loads.map(async load => load.stop())))
    const more = async (): Promise<void> => {
      const before = loads.map(load => load.counts.ok)
      await until('both loads go on', () => loads.every((load, index) => load.counts.ok > (before[index] ?? 0) + 20))
    }
    await more()

    await run(t, system, 'upgrade', packages[2] ?? '', '--mode', 'auto')
    await more()
    await run(t, system, 'swap')
    await more()
    await run(t, system, 'upgrade', packages[2] ?? '', '--mode', 'auto', '--slot', 'production')
    await more()
    await run(t, system, 'swap')
    await more()

    const [seen, beside] = await Promise.all(loads.map(async load => load.stop()))
    t.same(Object.fromEntries(seen?.failures ?? []), {}, `${seen?.ok} requests to production`)
    t.same(Object.fromEntries(beside?.failures ?? []), {}, `${beside?.ok} requests to staging`)
    t.same([...(seen?.texts.keys() ?? [])].toSorted(), ['1.0.0', '2.0.0', '3.0.0'], 'each version served production')

    const instances = (await system.client.deployment('inner', 'production')).instances
    t.same(
      instances.filter(({ role }) => role === 'web').map(({ version }) => version),
      ['1.0.0', '1.0.0'],
      'the role that did not change was not upgraded',
    )
    const endpoints = await Promise.all([production, staging].map(async url => (await fetch(`${url}/endpoint`)).text()))
    t.equal(new Set(endpoints).size, 2, 'each deployment has its own')
    for (const endpoint of endpoints) {
      const [host = '', port] = endpoint.split(':')
      t.equal(host, '127.0.0.1')
      t.ok(await reaches('127.0.0.1', Number(port)))
      t.notOk(await reaches('127.0.0.2', Number(port)), 'bound to the one address only')
    }
  },
)
