import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pack } from '../../../../bench/system/packages.ts'
import { SERVICE } from './package.ts'
import type { Subject } from './subject.ts'
import type { Trial } from './trial.ts'

/** The system in front of servers that it does not run, on these ports of 127.0.0.1. */
export async function frontedBy(
  trial: Trial,
  ports: readonly number[],
  { role = [], endpoint = '{ protocol: http, port: 0 }' }: { role?: readonly string[]; endpoint?: string } = {},
): Promise<Subject> {
  const subject = await trial.subject({ nodes: 1 })
  const folder = join(trial.folder(), 'fronted')
  mkdirSync(folder)
  const lines = [
    `name: ${SERVICE}`,
    'version: 1.0.0',
    'roles:',
    '  web:',
    `    upstreams: [${ports.map(port => `127.0.0.1:${port}`).join(', ')}]`,
    `    endpoints: { http: ${endpoint} }`,
    ...role.map(line => `    ${line}`),
  ]
  writeFileSync(join(folder, 'service.yaml'), `${lines.join('\n')}\n`)
  const { digest } = await subject.client.uploadPackage(await pack(folder), 'gzip')
  const { outcome, code } = await subject.operate('create production', async idempotencyKey =>
    subject.client.create(SERVICE, 'production', { package: digest }, { idempotencyKey }),
  )
  if (outcome !== 'Succeeded') throw new Error(`the deployment ended ${outcome} ${code ?? ''}`)
  return subject
}
