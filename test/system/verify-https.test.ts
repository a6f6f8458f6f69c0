import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { makeAuthority, makeCertificate } from '../support/certificates.ts'
import { EVERY_KIND, newest, probedPackage } from './support/probed.ts'
import { startSystem } from './support/system.ts'

const NAMES = ['small.localhost', 'staging.small.localhost', '127.0.0.1']

function httpsPackage(t: Test, version: string, { chain, key }: { chain: string; key: string }): string {
  const folder = probedPackage(t, version, EVERY_KIND, { instances: 1 })
  writeFileSync(join(folder, 'site.pem'), chain + key)
  const file = join(folder, 'service.yaml')
  const text = readFileSync(file, 'utf8').replace('protocol: http,', 'protocol: https,')
  writeFileSync(file, text.replace(/^( {4})instances:/m, '$1certificates: { site: site.pem }\n$1instances:'))
  return folder
}

t.test('swap --verify sends every kind of traffic over TLS, too', async t => {
  const certificate = await makeCertificate({ names: NAMES, authority: await makeAuthority() })
  const system = await startSystem(t)
  t.equal((await system.cli('deploy', httpsPackage(t, '1.0.0', certificate))).code, 0)
  t.equal((await system.cli('deploy', httpsPackage(t, '2.0.0', certificate), '--slot', 'staging')).code, 0)
  const { code, stderr } = await system.cli('swap', '--verify')
  t.equal(code, 0, stderr)
  const { totals, remarks } = await system.client.receipt((await newest(system, 'swap')).id)
  t.ok(totals.arrived >= 650, `${totals.arrived} requests`)
  t.equal(totals.broken, 0)
  t.match(remarks.join(), /^probe traffic: \d+ requests, none lost$/)
})
