import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { AssignedInstance, Assignment, RunSpec } from '../../../src/contracts/assignment.ts'
import { contentDigest } from '../../../src/packages/digest.ts'
import { findKeepers } from '../../../agents/process-table.ts'
import { tempDir } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { FakeController } from './fake-controller.ts'

const MAIN = fileURLToPath(new URL('../../../agents/main.js', import.meta.url))

/** A web server that says who it is, and ends with status 3 when asked. */
const SERVER = `
import { createServer } from 'node:http'
createServer((request, response) => {
  if (request.url === '/exit') process.exit(3)
  response.end(process.env.ROLE_INSTANCE_ID + ' ' + process.pid)
}).listen(Number(process.env.PORT), process.env.HOST)
`

export const HTTP_PROBE = {
  kind: 'http',
  endpoint: 'http',
  path: '/',
  intervalMs: 100,
  timeoutMs: 1000,
  healthy: 1,
  unhealthy: 2,
} as const

export const PROCESS_PROBE = { kind: 'process', intervalMs: 100, timeoutMs: 1000, healthy: 1, unhealthy: 3 } as const

interface Test {
  teardown(fn: () => void | Promise<void>): void
}

/** One node with a fake controller in a fresh folder; everything it started is ended with the test. */
export class Rig {
  readonly data: string
  readonly run: string
  readonly controller: FakeController
  readonly packageDirectory: string
  readonly agents: ChildProcess[] = []
  digest = ''
  #n = 0

  private constructor(root: string) {
    this.data = join(root, 'd')
    this.run = join(root, 'r')
    this.packageDirectory = join(root, 'p')
    mkdirSync(this.run)
    mkdirSync(this.packageDirectory)
    this.controller = new FakeController(this.run)
  }

  static async create(t: Test, files: Record<string, string> = { 'server.mjs': SERVER }): Promise<Rig> {
    const rig = new Rig(tempDir(t))
    t.teardown(async () => rig.#close())
    for (const [name, text] of Object.entries(files))
      writeFileSync(join(rig.packageDirectory, name), text, { mode: 0o755 })
    rig.digest = await contentDigest(rig.packageDirectory)
    rig.controller.packages.set(rig.digest, rig.packageDirectory)
    await rig.controller.listen()
    return rig
  }

  get nodeDirectory(): string {
    return join(this.data, 'nodes', 'n1')
  }

  startAgent(options: { env?: Record<string, string>; flags?: string[] } = {}): ChildProcess {
    const agent = spawn(
      process.execPath,
      [MAIN, '--data', this.data, '--run', this.run, '--node', 'n1', ...(options.flags ?? [])],
      {
        env: { PATH: process.env['PATH'] ?? '', VIPSWAP_LOG: process.env['VIPSWAP_LOG'] ?? 'silent', ...options.env },
        // The fourth: what a careless caller left open.
        stdio: ['ignore', 'inherit', 'inherit', 'ignore'],
      },
    )
    this.agents.push(agent)
    return agent
  }

  async kill(agent: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
    agent.kill(signal)
    if (agent.exitCode === null && agent.signalCode === null) await once(agent, 'exit')
    return agent.exitCode
  }

  instance(overrides: Partial<AssignedInstance> = {}, spec: Partial<RunSpec> = {}): AssignedInstance {
    const index = overrides.index ?? 0
    return {
      key: `dep/web_IN_${index}`,
      service: 'shop',
      deployment: 'dep',
      role: 'web',
      instance: `web_IN_${index}`,
      index,
      incarnation: 1,
      desired: 'run',
      clean: 'none',
      upgradeDomain: 1,
      faultDomain: 2,
      spec: {
        package: this.digest,
        path: '.',
        version: '1.0.0',
        command: 'node server.mjs',
        startup: [],
        endpoints: [{ name: 'http', protocol: 'http' }],
        probe: HTTP_PROBE,
        settings: {},
        env: {},
        internalEndpoints: {},
        localStorage: [],
        startTimeoutMs: 20_000,
        stopTimeoutMs: 3000,
        ...spec,
      },
      ...overrides,
    }
  }

  assignment(instances: readonly AssignedInstance[], overrides: Partial<Assignment> = {}): Assignment {
    this.#n += 1
    return {
      fabric: 'f1',
      revision: { term: 1, n: this.#n },
      node: 'n1',
      instances,
      packages: [this.digest],
      portRange: { from: 21_000, to: 25_999 },
      ...overrides,
    }
  }

  async assign(...instances: AssignedInstance[]): Promise<void> {
    await this.controller.assign(this.assignment(instances))
  }

  log(key = 'dep/web_IN_0'): string {
    return readFileSync(join(this.nodeDirectory, 'instances', key, 'logs', 'output.log'), 'utf8')
  }

  folder(key = 'dep/web_IN_0'): string {
    return join(this.nodeDirectory, 'instances', key)
  }

  keepers(): number[] {
    return findKeepers(this.nodeDirectory).map(({ pid }) => pid)
  }

  async #close(): Promise<void> {
    for (const agent of this.agents) await this.kill(agent, 'SIGKILL')
    for (const pid of this.keepers()) {
      try {
        process.kill(-pid, 'SIGKILL')
      } catch {
        // Gone meanwhile.
      }
    }
    await until('no keeper is left', () => this.keepers().length === 0)
    await this.controller.close()
  }
}

export function isRunning(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    return false
  }
}
