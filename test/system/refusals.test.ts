import { createServer } from 'node:net'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ReadEntry, Header, Pack } from 'tar'
import t from 'tap'
import { runCli, smallPackage, startSystem } from './support/system.ts'
import { tempDir } from '../support/temp.ts'
import { gzipSync } from 'node:zlib'

t.test('bad input gets a clear error and changes nothing', async t => {
  const system = await startSystem(t)
  const good = smallPackage(t, { version: '1.0.0', instances: 2 })
  const deployed = await system.cli('deploy', good)
  t.equal(deployed.code, 0, deployed.stderr)
  const before = JSON.stringify(await stable())

  async function stable() {
    const { slots, vips } = await system.client.service('small')
    return {
      production: slots.production?.id,
      staging: slots.staging?.id ?? null,
      vips,
      services: (await system.client.services()).length,
    }
  }
  const refused = async (what: string, code: number, message: RegExp, ...words: string[]): Promise<void> => {
    const outcome = await system.cli(...words)
    t.equal(outcome.code, code, `${what}: exit status\n${outcome.stderr}`)
    t.match(outcome.stderr, message, `${what}: says why`)
    t.notMatch(outcome.stderr, /\n\s+at /, `${what}: no stack`)
    t.equal(JSON.stringify(await stable()), before, `${what}: nothing changed`)
  }

  await refused('a swap with an empty staging slot', 1, /staging slot of small is empty.*deploy/s, 'swap')
  await refused(
    'an upgrade of an empty slot',
    1,
    /staging slot of small is empty/,
    'upgrade',
    good,
    '--slot',
    'staging',
  )
  await refused('an unknown service', 1, /no service "nope".*small/s, 'status', '--service', 'nope')
  await refused('an occupied slot', 1, /holds d1.*--replace/s, 'deploy', good)
  await refused('an unknown verb', 2, /unknown command/, 'swop')
  await refused('a package that is not there', 1, /no-such-package/, 'deploy', join(tempDir(t), 'no-such-package'))

  const misspelt = tempDir(t)
  writeFileSync(
    join(misspelt, 'service.yaml'),
    'name: small\nversion: 2.0.0\nroles:\n  web:\n    comand: node server.js\n    instances: many\n',
  )
  await refused('an invalid definition', 1, /service\.yaml:5:5.*command/s, 'deploy', misspelt, '--slot', 'staging')
  const validated = await runCli(['validate', misspelt])
  t.equal(validated.code, 1)
  t.match(validated.stdout + validated.stderr, /5:5[\s\S]*6:16/, 'every fault is listed')

  const escaping = join(tempDir(t), 'escape.tar.gz')
  writeFileSync(escaping, gzipSync(await archiveWith('../../escaped.txt')))
  await refused(
    'a package that leaves its folder',
    1,
    /\.\.\/\.\.\/escaped\.txt/,
    'deploy',
    escaping,
    '--slot',
    'staging',
  )

  const squatter = createServer().listen(0, '127.0.0.1')
  t.teardown(() => squatter.close())
  await once(squatter, 'listening')
  const address = squatter.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const clashing = smallPackage(t, { name: 'other', version: '1.0.0', port })
  await refused('a port in use', 1, new RegExp(`${port}`), 'deploy', clashing)
  t.equal((await fetch(await system.url('small', 'production'))).status, 200, 'what served serves on')
})

/** A tar whose one file carries a name no honest tool writes. */
async function archiveWith(path: string): Promise<Buffer> {
  const pack = new Pack({ portable: true })
  const entry = new ReadEntry(new Header({ path, mode: 0o644, size: 2, type: 'File', mtime: new Date(0) }))
  entry.end(Buffer.from('x\n'))
  pack.add(entry)
  pack.end()
  const chunks: Buffer[] = []
  for await (const chunk of pack as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks)
}
