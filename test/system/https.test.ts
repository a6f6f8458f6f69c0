import { execFile, spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { promisify } from 'node:util'
import t from 'tap'
import { makeAuthority, makeCertificate } from '../support/certificates.ts'
import { tempDir } from '../support/temp.ts'
import { smallPackage, startSystem } from './support/system.ts'

const run = promisify(execFile)
const absent = ['h2load', 'wrk', 'curl'].find(tool => spawnSync(tool, ['--version']).error !== undefined)
const skip = absent === undefined ? false : `no ${absent} here`
const NAMES = ['small.localhost', 'staging.small.localhost', '127.0.0.1']

/** The serial number of the certificate that a new connection is shown. */
async function serialShown(port: number): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, servername: 'small.localhost', rejectUnauthorized: false })
  const serial = await new Promise<string>((resolve, reject) => {
    socket.on('secureConnect', () => resolve(socket.getPeerCertificate().serialNumber))
    socket.on('error', reject)
  })
  socket.destroy()
  return serial
}

t.test('h2load, curl and wrk, by https, count no error over swaps, an upgrade and a renewal', { skip }, async t => {
  const authority = await makeAuthority()
  const certificate = await makeCertificate({ names: NAMES, authority })
  const system = await startSystem(t)
  const packages = ['1.0.0', '2.0.0'].map(version =>
    smallPackage(t, { version, instances: 2, secured: certificate }),
  ) as [string, string]
  const vipswap = async (...words: string[]): Promise<void> => {
    const { code, stderr } = await system.cli(...words)
    t.equal(code, 0, stderr)
  }
  await vipswap('deploy', packages[0])
  await vipswap('deploy', packages[1], '--slot', 'staging')
  const url = `${await system.url('small', 'production')}/`
  t.match(url, /^https:/)
  const port = Number(new URL(url).port)
  const folder = tempDir(t)
  const ca = join(folder, 'ca.pem')
  writeFileSync(ca, authority.ca)
  let done = false
  const repeat = async (command: string, ...args: string[]): Promise<string[]> => {
    const outputs: string[] = []
    while (!done) outputs.push((await run(command, args)).stdout)
    return outputs
  }
  const named = ['--resolve', `small.localhost:${port}:127.0.0.1`]
  const curl = (...args: string[]): Promise<string[]> =>
    repeat(
      'curl',
      '-sS',
      '--cacert',
      ca,
      ...named,
      ...args,
      '-w',
      '%{http_version} %{http_code}',
      `https://small.localhost:${port}/`,
    )
  const loads = Promise.all([
    repeat('h2load', '-n', '1000', '-c', '4', '-m', '8', url),
    repeat('wrk', '-t1', '-c4', '-d1s', url),
    curl('--http2'),
    curl('--http1.1'),
  ])
  await vipswap('swap')
  const before = await serialShown(port)
  const renewed = await makeCertificate({ names: NAMES, authority })
  writeFileSync(join(folder, 'site.pem'), renewed.chain + renewed.key)
  writeFileSync(join(folder, 'renew.yaml'), 'roles:\n  web:\n    certificates: { site: site.pem }\n')
  await vipswap('config', 'apply', join(folder, 'renew.yaml'))
  t.not(await serialShown(port), before, 'new connections are shown the new certificate')
  await vipswap('upgrade', packages[0], '--mode', 'auto')
  await vipswap('swap')
  done = true
  const [h2load, wrk, http2, http1] = await loads
  for (const output of h2load) t.match(output, /1000 succeeded, 0 failed, 0 errored, 0 timeout/)
  for (const output of wrk) t.notMatch(output, /Socket errors|Non-2xx/, output)
  t.ok(h2load.length > 0 && wrk.length > 0 && http2.length > 0 && http1.length > 0)
  t.same(
    http2.filter(answer => !/^[12]\.0\.0\n2 200$/.test(answer)),
    [],
  )
  t.same(
    http1.filter(answer => !/^[12]\.0\.0\n1\.1 200$/.test(answer)),
    [],
  )
})
