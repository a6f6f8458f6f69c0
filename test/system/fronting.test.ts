import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { freePorts } from '../../bench/system/packages.ts'
import { tempDir } from '../support/temp.ts'
import { until } from '../support/until.ts'
import { startSystem } from './support/system.ts'

/** Something that runs by itself and says its name. */
async function running(t: Test, name: string, port = 0): Promise<{ port: number; stop(): Promise<void> }> {
  const server = createServer((_request, response) => response.end(name)).listen(port, '127.0.0.1')
  await once(server, 'listening')
  const stop = async (): Promise<void> => {
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  }
  t.teardown(stop)
  return { port: (server.address() as AddressInfo).port, stop } // it listens on TCP
}

/** Addresses of the service `app` away from 8080, and little patience. */
async function config(): Promise<string> {
  const offset = Number(await freePorts(1)) - 8080
  const vip = (by: number): string => `127.0.0.1:${by < 0 ? '' : '+'}${by}`
  return `vips: { production: '${vip(offset)}', staging: '${vip(offset + 1)}' }\nlimits: { holdTimeout: 500ms }\n`
}

const textOf = async (url: string): Promise<string> => (await fetch(url, { headers: { connection: 'close' } })).text()

t.test('up --upstream fronts what already runs: swap, drain, pause and the ledger, but no upgrade', async t => {
  const [blue, green] = [await running(t, 'blue'), await running(t, 'green')]
  const system = await startSystem(t, {
    config: await config(),
    words: ['--upstream', `127.0.0.1:${blue.port}`, '--staging-upstream', `127.0.0.1:${green.port}`],
  })
  const [production, staging] = [await system.url('app', 'production'), await system.url('app', 'staging')]
  t.equal(await textOf(production), 'blue')
  t.equal(await textOf(staging), 'green')
  t.match((await system.cli('status')).stdout, new RegExp(`127\\.0\\.0\\.1_${blue.port} +Running +1/1`))

  const swapped = await system.cli('swap')
  t.equal(swapped.code, 0, swapped.stderr)
  t.equal(await textOf(production), 'green')
  t.equal(await textOf(staging), 'blue')

  const folder = tempDir(t)
  const role = `{ upstreams: ['127.0.0.1:${blue.port}'], endpoints: { http: { port: 8080 } } }`
  writeFileSync(join(folder, 'service.yaml'), `name: app\nversion: 2.0.0\nroles: { app: ${role} }\n`)
  const refused = await system.cli('upgrade', folder)
  t.equal(refused.code, 1)
  t.match(refused.stderr, /does not run it.*--slot staging.*vipswap swap.*\[change_not_allowed\]/)
  const path = '/v1/services/app/slots/production/instances/app_IN_0/reboot'
  t.match(await (await fetch(system.admin + path, { method: 'POST' })).json(), {
    status: 422,
    code: 'change_not_allowed',
  })

  t.match(
    (await system.cli('logs', 'app_IN_0')).stderr,
    /app_IN_0 fronts what already runs: what it writes is not kept/,
  )

  const paused = await system.cli('pause')
  t.match(paused, { code: 0, stdout: /^production app\/http: paused until \S+ \(`vipswap resume`\)$/m })
  const held = textOf(production)
  await until('it is held', async () => (await system.client.traffic('app')).totals.held === 1)
  t.equal((await system.cli('resume')).code, 0)
  t.equal(await held, 'green')

  t.equal((await system.cli('drain', 'app_IN_0')).code, 0)
  t.equal((await fetch(production)).status, 503)
  t.equal((await system.cli('undrain', 'app_IN_0')).code, 0)
  await until('it is back', async () => (await textOf(production)) === 'green')

  await green.stop()
  const instance = async () => (await system.client.service('app')).slots.production?.instances[0]
  await until('its end is noticed', async () => (await instance())?.status === 'UnresponsiveRole', {
    timeoutMs: 30_000,
  })
  t.equal((await fetch(production)).status, 503)
  await running(t, 'green again', green.port)
  await until('its return is noticed', async () => (await instance())?.status === 'ReadyRole')
  t.equal(await textOf(production), 'green again')

  const { totals } = await system.client.traffic('app')
  const ended = totals.answered + totals.refused + totals.clientGone + totals.broken
  t.equal(totals.arrived, ended + totals.open, 'it adds up')
})

t.test('up -- COMMAND runs one command where it was typed, shows what it writes, and starts it again', async t => {
  const cwd = tempDir(t)
  const script = `
    require('node:http').createServer((request, response) => {
      if (request.url === '/die') process.exit(3)
      response.end(process.cwd() + ' ' + process.argv[2])
    }).listen(process.env.PORT, () => console.log('started as', process.pid))`
  writeFileSync(join(cwd, 'server.js'), script)
  const system = await startSystem(t, {
    config: await config(),
    cwd,
    words: ['--', process.execPath, 'server.js', "it's here"],
  })
  const url = await system.url('app', 'production')
  t.equal(await textOf(url), `${cwd} it's here`)
  await until('its first line is shown', () => /^started as \d+$/m.test(system.said()))
  await fetch(`${url}/die`).catch(() => undefined)
  await until('it was started again', () => new Set(system.said().match(/^started as \d+$/gm)).size === 2)
  await until('it serves again', async () => (await textOf(url)) === `${cwd} it's here`)
})
