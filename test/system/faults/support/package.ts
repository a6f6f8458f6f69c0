import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { projectRoot } from '../../../../bench/system/packages.ts'
import { installInto } from '../../support/install.ts'

export interface PackageOptions {
  readonly version: string
  readonly instances?: number
  readonly domains?: number
  readonly settings?: Readonly<Record<string, string>>
  /** Further keys of the role, one a line, without indentation. */
  readonly role?: readonly string[]
  /** The role's endpoint. */
  readonly endpoint?: string
  readonly probe?: string
  /** Of the registry, laid beside the role's files. */
  readonly libraries?: readonly string[]
  /** Default 5 s. */
  readonly stopTimeout?: string
  /** Default 20 s. */
  readonly startTimeout?: string
}

export const SERVICE = 'subject'

/** Writes a package of the suite's role; it notes what it carries out below `ledger`. */
export function writePackage(folder: string, ledger: string, options: PackageOptions): string {
  const { version, instances = 4, domains = 4, settings = {} } = options
  mkdirSync(folder, { recursive: true })
  const { probe = '{ path: /healthz, interval: 200ms, timeout: 1s }', endpoint = '{ protocol: http, port: 0 }' } =
    options
  cpSync(join(projectRoot(), 'test', 'system', 'faults', 'role', 'server.mjs'), join(folder, 'server.mjs'))
  for (const library of options.libraries ?? []) installInto(folder, library)
  const all = { LEDGER: ledger, ...settings }
  const lines = [
    `name: ${SERVICE}`,
    `version: ${version}`,
    `upgradeDomainCount: ${domains}`,
    'roles:',
    '  web:',
    '    command: [node, server.mjs]',
    `    instances: ${instances}`,
    `    endpoints: { http: ${endpoint} }`,
    `    probe: ${probe}`,
    '    drainTimeout: 3s',
    `    stopTimeout: ${options.stopTimeout ?? '5s'}`,
    `    startTimeout: ${options.startTimeout ?? '20s'}`,
    '    settings:',
    ...Object.entries(all).map(([name, value]) => `      ${name}: ${JSON.stringify(value)}`),
    ...(options.role ?? []).map(line => `    ${line}`),
  ]
  writeFileSync(join(folder, 'service.yaml'), `${lines.join('\n')}\n`)
  return folder
}
