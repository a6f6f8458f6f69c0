import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, readFileSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePorts, projectRoot } from '../../../bench/system/packages.ts'
import { createClient, type Client } from '../../../src/client/client.ts'
import type { Slot } from '../../../src/model/slot.ts'
import { tempDir } from '../../support/temp.ts'
import { until } from '../../support/until.ts'

const MAIN = join(projectRoot(), 'dist', 'src', 'cli', 'main.js')

/** A test, or what else ends things in order. */
export interface Teardown {
  teardown(run: () => unknown): void
}

export interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** The real system under test: one `vipswap up` with its processes, and a command line to drive it. */
export interface System {
  readonly client: Client
  readonly admin: string
  readonly data: string
  readonly up: ChildProcess
  /** All that `up` has written. */
  said(): string
  /** Runs `vipswap …` against it. */
  cli(...args: string[]): Promise<Outcome>
  /** The address of a VIP, `http://127.0.0.1:PORT`. */
  url(service: string, slot: Slot): Promise<string>
  /** Ends `up` as Ctrl-C would; fails the test if it leaves a process behind. */
  stop(): Promise<void>
}

/** The environment without what the test runner injects into every child. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = { ...process.env, NO_COLOR: '1' }
  delete environment['NODE_OPTIONS']
  return environment
}

/** Runs `vipswap` once. */
export async function runCli(args: readonly string[]): Promise<Outcome> {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env: cleanEnvironment() })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const [code] = (await once(child, 'close')) as [number | null] // the event's documented arguments
  return { code, stdout, stderr }
}

/** Starts `up` on a fresh data folder (or on `data`, to resume) and waits until it is ready. */
export async function startSystem(
  t: Teardown,
  options: {
    nodes?: number
    data?: string
    admin?: string
    config?: string
    /** Further words of `up`. */
    words?: readonly string[]
    /** Further variables of its environment. */
    environment?: NodeJS.ProcessEnv
    /** A program that becomes `up` by exec, with its arguments. */
    wrapper?: readonly string[]
    cwd?: string
  } = {},
): Promise<System> {
  const data = options.data ?? join(tempDir(t), 'd')
  const admin = options.admin ?? `127.0.0.1:${await freePorts(1)}`
  const args = [MAIN, 'up', '--data', data, '--admin', admin, '--nodes', String(options.nodes ?? 2)]
  if (options.config !== undefined) {
    const file = join(tempDir(t), 'vipswap.yaml')
    writeFileSync(file, options.config)
    args.push('--config', file)
  }
  args.push(...(options.words ?? []))
  const [program = process.execPath, ...words] = [...(options.wrapper ?? []), process.execPath, ...args]
  const up = spawn(program, words, {
    cwd: options.cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...cleanEnvironment(), ...options.environment },
    detached: true,
  })
  let said = ''
  for (const stream of [up.stdout, up.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
  }
  const client = createClient({ url: `http://${admin}` })
  const stop = async (): Promise<void> => {
    if (up.exitCode === null && up.signalCode === null) {
      const exit = once(up, 'exit')
      up.kill('SIGINT')
      await exit
    }
  }
  t.teardown(async () => {
    await stop()
    const left = processesIn(data)
    for (const { pid } of left) process.kill(pid, 'SIGKILL')
    if (left.length > 0) throw new Error(`left running: ${left.map(({ command }) => command).join('; ')}`)
  })
  await until(
    'the system is ready',
    async () => {
      if (up.exitCode !== null) throw new Error(`up ended with ${up.exitCode}: ${said}`)
      return said.includes('Ctrl-C stops') && (await fetch(`http://${admin}/readyz`)).ok
    },
    { timeoutMs: 20_000, intervalMs: 50 },
  )
  return {
    client,
    admin: `http://${admin}`,
    data,
    up,
    said: () => said,
    cli: (...words) => runCli([...words, '--admin', `http://${admin}`]),
    url: async (service, slot) => {
      const vip = (await client.service(service)).vips.find(candidate => candidate.slot === slot)
      if (vip?.url == null) throw new Error(`${service} has no address in ${slot}`)
      return vip.url
    },
    stop,
  }
}

/** Every live process that works in, or was started with, a folder. */
export function processesIn(folder: string): { pid: number; command: string }[] {
  const found: { pid: number; command: string }[] = []
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue
    try {
      const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ')
      if (command !== '' && (command.includes(folder) || readlinkSync(`/proc/${name}/cwd`).startsWith(folder))) {
        found.push({ pid: Number(name), command })
      }
    } catch {
      // It has ended meanwhile.
    }
  }
  return found
}

/** The pid of one of `up`'s parts, from its pid file. */
export function pidOf(system: System, name: string): number {
  return (JSON.parse(readFileSync(join(system.data, 'run', 'pids', `${name}.json`), 'utf8')) as { pid: number }).pid
}

const SERVER = `
const http = require('node:http')
const version = process.env.ROLE_VERSION
const server = http.createServer((request, response) => {
  response.setHeader('x-version', version)
  response.setHeader('x-instance', process.env.ROLE_INSTANCE_ID)
  if (request.url === '/pid') return response.end(String(process.pid))
  if (request.url === '/env') return response.end(JSON.stringify(process.env))
  response.end(version + '\\n')
})
server.listen(process.env.PORT, process.env.HOST)
process.on('SIGTERM', () => {
  server.close(() => process.exit(0))
  server.closeIdleConnections()
})
`

export interface SmallPackage {
  readonly name?: string
  readonly version: string
  readonly instances?: number
  readonly port?: number
  readonly server?: string
  readonly extra?: string
  /** By https, with this certificate. */
  readonly secured?: { readonly chain: string; readonly key: string }
}

/** A small service's package in a fresh folder: answers its version. `port: 0` takes free ports. */
export function smallPackage(t: Teardown, options: SmallPackage): string {
  const folder = join(tempDir(t), 'p')
  mkdirSync(folder)
  const { name = 'small', version, instances = 4, port = 0, server = SERVER, extra = '', secured } = options
  if (secured !== undefined) writeFileSync(join(folder, 'site.pem'), secured.chain + secured.key)
  const certificates = secured === undefined ? '' : '    certificates: { site: site.pem }\n'
  writeFileSync(join(folder, 'server.js'), server)
  writeFileSync(
    join(folder, 'service.yaml'),
    `name: ${name}
version: ${version}
roles:
  web:
    command: node server.js
    instances: ${instances}
    endpoints:
      http: { protocol: ${secured === undefined ? 'http' : 'https'}, port: ${port} }
    probe: { path: /healthz, interval: 200ms }
${certificates}${extra}`,
  )
  return folder
}

/** A copy of an example on free ports; `edit` may change its definition. */
export function examplePackage(t: Teardown, path: string, edit: (definition: string) => string = text => text): string {
  const folder = join(tempDir(t), 'p')
  cpSync(join(projectRoot(), 'examples', path), folder, { recursive: true })
  const file = join(folder, 'service.yaml')
  writeFileSync(file, edit(readFileSync(file, 'utf8').replaceAll(/port: \d+/g, 'port: 0')))
  return folder
}
