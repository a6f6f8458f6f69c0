import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The service of `up --upstream` and `up -- COMMAND`, and where its production address is. */
export const APP = { service: 'app', port: 8080 } as const

/** A package that fronts what already runs; addresses are `HOST:PORT`. */
export function upstreamDefinition(upstreams: readonly string[]): object {
  // Its address tells one from another wherever versions are shown; of what a version may hold the colon is missing.
  const version = upstreams
    .join('+')
    .replaceAll(/[^A-Za-z0-9.+_-]/g, '_')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 64)
  return definition(version, { upstreams })
}

/** A package that runs one command in `directory`; its own folder is empty. */
export function commandDefinition(command: readonly string[], directory: string): object {
  // A role's folder is its package's, and this package has nothing in it: the command is at home where it was typed.
  return definition('1.0.0', {
    command: ['sh', '-c', 'cd "$1" && shift && exec "$@"', 'sh', directory, ...command],
    instances: 1,
  })
}

function definition(version: string, role: object): object {
  const endpoints = { http: { protocol: 'http', port: APP.port } }
  return { name: APP.service, version, roles: { app: { ...role, endpoints } } }
}

/** Writes the package, lets `use` have its folder, and removes it. */
export async function withPackage<T>(content: object, use: (directory: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'vipswap-app-'))
  try {
    writeFileSync(join(directory, 'service.json'), `${JSON.stringify(content, null, 2)}\n`)
    return await use(directory)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
