import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePorts, projectRoot } from '../../../bench/system/packages.ts'
import { createClient, type Client } from '../../../src/client/client.ts'
import { tempDir } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import type { KillPlan } from './kill-at-commit.ts'
import { processesIn, type Teardown } from './system.ts'

const WAIT = { timeoutMs: 60_000, intervalMs: 50 }
const DIST = join(projectRoot(), 'dist')

/** A proxy, an agent and a controller as processes, of which the controller can be killed at any of its commits. */
export interface CrashRig {
  readonly client: Client
  readonly data: string
  /** The controller dies at that commit from now on; null: at none. */
  plan(plan: KillPlan | null): void
  /** Has the controller been killed? */
  isDead(): boolean
  /** Starts the controller again once it has ended, and waits until everybody is connected. */
  restart(): Promise<void>
  /** Another controller on the same data folder: how it ended and what it said. */
  second(): Promise<{ code: number | null; said: string }>
}

export async function startCrashRig(t: Teardown): Promise<CrashRig> {
  const data = join(tempDir(t), 'd')
  mkdirSync(data)
  const run = join(data, 'run')
  const admin = `127.0.0.1:${await freePorts(1)}`
  const file = join(data, 'kill-plan.json')
  const log = join(data, 'processes.log')
  const start = (args: readonly string[]): ChildProcess => {
    const environment = { ...process.env }
    delete environment['NODE_OPTIONS']
    const out = openSync(log, 'a')
    const child = spawn(process.execPath, args, { stdio: ['ignore', out, out], env: environment })
    closeSync(out)
    return child
  }
  const preload = new URL(`kill-at-commit.js?plan=${encodeURIComponent(file)}`, import.meta.url).href
  const startController = (): ChildProcess =>
    start(['--import', preload, join(DIST, 'src/admin/main.js'), '--data', data, '--run', run, '--admin', admin])
  const client = createClient({ url: `http://${admin}` })
  const ready = async (): Promise<void> => {
    const connected = async (): Promise<boolean> => {
      const { ready, reason } = await client.ready()
      if (ready) return true
      // What it hung on, for whoever reads the failure.
      throw new Error(`${reason}; the log ends: ${readFileSync(log, 'utf8').slice(-1500)}`)
    }
    await until('everybody is connected', connected, WAIT)
  }

  let controller = startController()
  const proxy = start([join(DIST, 'proxy/main.js'), '--data', data, '--run', run, '--id', 'proxy-0', '--workers', '1'])
  const agent = start([join(DIST, 'agents/main.js'), '--data', data, '--run', run, '--node', 'node-0'])
  t.teardown(async () => {
    // Roles end with their agent once a stop is wanted; whoever else is left is killed.
    writeFileSync(join(run, 'stop'), 'stop wanted\n')
    for (const child of [agent, proxy, controller]) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      const exit = once(child, 'exit')
      child.kill('SIGTERM')
      await exit
    }
    await client.close()
    const left = processesIn(data)
    for (const { pid } of left) process.kill(pid, 'SIGKILL')
    if (left.length > 0) throw new Error(`left running: ${left.map(({ command }) => command).join('; ')}`)
  })
  await ready()
  return {
    client,
    data,
    plan(plan) {
      if (plan === null) rmSync(file, { force: true })
      else {
        writeFileSync(`${file}.new`, JSON.stringify(plan))
        renameSync(`${file}.new`, file)
      }
    },
    isDead: () => controller.exitCode !== null || controller.signalCode !== null,
    async second() {
      const words = [
        join(DIST, 'src/admin/main.js'),
        '--data',
        data,
        '--run',
        join(data, 'run2'),
        '--admin',
        '127.0.0.1:0',
      ]
      const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'pipe'], env: {} })
      let said = ''
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8').on('data', (text: string) => {
          said += text
        })
      }
      const [code] = (await once(child, 'close')) as [number | null] // the event's documented arguments
      return { code, said }
    },
    async restart() {
      if (controller.exitCode === null && controller.signalCode === null) await once(controller, 'exit')
      controller = startController()
      await ready()
    },
  }
}
