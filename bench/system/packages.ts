import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { create } from 'tar'

/** The checkout, from the sources and from dist alike. */
export function projectRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder)
  return folder
}

/** Makes the role's package of one version in `folder`. Each version has other files, so that an upgrade has work to do. */
export function makePackage(folder: string, version: number, port: number): string {
  const role = join(projectRoot(), 'bench', 'role')
  mkdirSync(folder, { recursive: true })
  cpSync(join(role, 'server.mjs'), join(folder, 'server.mjs'))
  const definition = readFileSync(join(role, 'service.yaml'), 'utf8')
    .replace('version: 0.0.0', `version: ${version}.0.0`)
    .replace('port: 8080', `port: ${port}`)
  writeFileSync(join(folder, 'service.yaml'), definition)
  writeFileSync(join(folder, 'version.txt'), `${version}.0.0\n`)
  return folder
}

/** A folder as the admin API takes it. */
export async function pack(folder: string): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of create({ gzip: true, cwd: folder }, ['.'])) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** The first of `count` ports in a row that are free on loopback now, outside the ranges of clients and of role instances. */
export async function freePorts(count: number): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const first = 10_000 + Math.floor(Math.random() * 9000)
    const free = await Promise.all(Array.from({ length: count }, async (_, i) => isFree(first + i)))
    if (free.every(Boolean)) return first
  }
  throw new Error(`found no ${count} free ports in a row`)
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  return new Promise(resolve => {
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
