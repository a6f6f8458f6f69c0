import { createHash } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { connect } from 'node:net'
import { once } from 'node:events'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { SERVICE as SAMPLE, rawTar, type RawEntry } from '../../../support/archives.ts'
import { until } from '../../../support/until.ts'
import { VipswapError } from '../../../../src/core/errors.ts'
import type { Fault } from '../fault.ts'
import { lossWords } from '../support/losses.ts'
import { SERVICE } from '../support/package.ts'
import type { Subject } from '../support/subject.ts'

const DEFINITION: RawEntry = { path: 'service.yaml', content: SAMPLE }

export const badPackages: Fault = {
  id: 'F27',
  name: 'packages that attack',
  injected:
    'a bomb, names that climb out, links that lead out, a device, an upload that breaks off, a digest that nothing has; under load',
  expected: 'each is refused; nothing is written outside, nothing of it is kept, nothing is replaced; nothing is lost',
  async run(trial) {
    const subject = await trial.subject({ config: 'packages: { maxBytes: 20MiB }\n' })
    await subject.deployed({ version: '1.0.0', instances: 2 })
    const load = await subject.load()
    const before = packagesOf(subject)
    const outside = join(subject.system.data, 'escaped')
    const attacks: Record<string, readonly RawEntry[]> = {
      bomb: [DEFINITION, { path: 'zeros', content: Buffer.alloc(40 << 20) }],
      'climbs out': [DEFINITION, { path: '../../escaped', content: 'x' }],
      absolute: [DEFINITION, { path: outside, content: 'x' }],
      'a link out': [
        DEFINITION,
        { path: 'd', type: 'SymbolicLink', linkpath: subject.system.data },
        { path: 'd/escaped', content: 'x' },
      ],
      'a hard link out': [DEFINITION, { path: 'passwd', type: 'Link', linkpath: '/etc/passwd' }],
      device: [DEFINITION, { path: 'null', type: 'CharacterDevice' }],
      'no definition': [{ path: 'a', content: 'x' }],
    }
    const answers: string[] = []
    for (const [name, entries] of Object.entries(attacks)) {
      const answer = await upload(subject, gzipSync(rawTar(entries)))
      answers.push(`${name}: ${answer}`)
      trial.check(`${name} is refused`, answer !== 'accepted')
    }
    await breakOff(subject)
    const ghost = createHash('sha256').update('nothing').digest('hex')
    const { code } = await subject.operate('upgrade', async idempotencyKey =>
      subject.client.upgrade(SERVICE, 'production', { package: ghost }, { idempotencyKey }),
    )
    trial.check('a digest that nothing has is refused', code === 'package_not_found')
    const same = await until('nothing of them is kept', () => packagesOf(subject) === before)
    trial.check('the packages are what they were', same)
    trial.check('nothing was written outside', !existsSync(outside))
    const losses = await load.finish()
    trial.check('nothing was lost', losses.answered === losses.requests)
    return { seen: `${answers.join(', ')}, a digest of nothing: ${code}; ${lossWords(losses)}`, losses }
  },
}

async function upload({ client }: Subject, archive: Buffer): Promise<string> {
  try {
    await client.uploadPackage(archive, 'gzip')
    return 'accepted'
  } catch (error) {
    if (error instanceof VipswapError) return error.code
    throw error
  }
}

/** Half of a package, and then nobody. */
async function breakOff({ system }: Subject): Promise<void> {
  const { hostname, port, host } = new URL(system.admin)
  const archive = gzipSync(rawTar([DEFINITION, { path: 'a', content: Buffer.alloc(100_000, 'a') }]))
  const socket = connect({ host: hostname, port: Number(port) })
  await once(socket, 'connect')
  socket.write(
    `POST /v1/packages HTTP/1.1\r\nhost: ${host}\r\ncontent-type: application/gzip\r\ncontent-length: ${archive.length}\r\n\r\n`,
  )
  await new Promise<void>(resolve => {
    socket.write(archive.subarray(0, archive.length / 2), () => resolve())
  })
  socket.destroy()
}

function packagesOf({ system }: Subject): string {
  return readdirSync(join(system.data, 'packages'), { recursive: true }).map(String).toSorted().join('\n')
}
