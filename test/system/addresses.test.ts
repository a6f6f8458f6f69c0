import t from 'tap'
import { freePorts } from '../../bench/system/packages.ts'
import { smallPackage, startSystem } from './support/system.ts'

t.test('VIPs on IPv6 and on every address, with their host names, over a swap', async t => {
  const system = await startSystem(t, { config: "vips: { production: '[::1]', staging: '0.0.0.0:+1' }\n" })
  const port = Number(await freePorts(1))
  const deploy = async (version: string, ...words: string[]): Promise<void> => {
    const deployed = await system.cli('deploy', smallPackage(t, { version, instances: 1, port }), ...words)
    t.equal(deployed.code, 0, deployed.stderr)
  }
  await deploy('1.0.0')
  await deploy('2.0.0', '--slot', 'staging')
  const [production, staging] = [`http://[::1]:${port}`, `http://0.0.0.0:${port + 1}`]
  t.match((await system.client.service('small')).vips, [
    { slot: 'production', host: '::1', url: production, hostName: 'small.localhost' },
    { slot: 'staging', host: '0.0.0.0', url: staging, hostName: 'staging.small.localhost' },
  ])
  const status = (await system.cli('status')).stdout
  t.ok(status.includes(production) && status.includes(' small.localhost'), status)
  const text = async (url: string): Promise<string> => (await fetch(url)).text()
  t.equal(await text(production), '1.0.0\n')
  t.equal(await text(`http://127.0.0.1:${port + 1}`), '2.0.0\n', 'the wildcard takes every address')
  t.equal((await system.cli('swap')).code, 0)
  t.equal(await text(production), '2.0.0\n')
  t.equal(await text(`http://127.0.0.1:${port + 1}`), '1.0.0\n')
})
