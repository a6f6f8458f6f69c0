import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { OperationView } from '../../src/contracts/api/operation.ts'
import type { PackageAnswer } from '../../src/contracts/api/package.ts'
import type { ReceiptView } from '../../src/contracts/api/receipt.ts'
import type { ServiceView } from '../../src/contracts/api/service.ts'
import { errorMessage } from '../../src/core/errors.ts'
import type { Vip } from '../load/plan.ts'
import { projectRoot } from './packages.ts'
import { descendants, expectGone, markOf } from './processes.ts'
import type { ProcessMark } from './processes.ts'

/** The real system, as one `vipswap up` of this checkout, driven over its admin HTTP only. */
export class System {
  readonly #base: string
  readonly #child: ChildProcess
  readonly #service: string
  readonly #logFile: string

  /** Starts `up` with a package. What it prints goes to `logFile`. */
  constructor(options: { packageFolder: string; data: string; adminPort: number; service: string; logFile: string }) {
    const admin = `127.0.0.1:${options.adminPort}`
    const main = join(projectRoot(), 'dist', 'src', 'cli', 'main.js')
    const log = openSync(options.logFile, 'a')
    this.#base = `http://${admin}`
    this.#service = options.service
    this.#logFile = options.logFile
    this.#child = spawn(
      process.execPath,
      [main, 'up', options.packageFolder, '--data', options.data, '--admin', admin],
      // A group of its own: Ctrl-C at the terminal reaches the bench, and the bench ends the system in order.
      { stdio: ['ignore', log, log], detached: true },
    )
    closeSync(log)
  }

  /** Waits until every instance in production is chosen from. */
  async ready(timeoutMs: number): Promise<void> {
    try {
      await this.#until('production is ready', timeoutMs, async () => {
        const production = (await this.service()).slots.production
        return production?.instances.length !== 0 && production?.instances.every(each => each.routing === 'in')
      })
    } catch (error) {
      const printed = readFileSync(this.#logFile, 'utf8').slice(-3000)
      throw new Error(`the system did not come up: ${errorMessage(error)}\n${printed}`, { cause: error })
    }
  }

  async service(): Promise<ServiceView> {
    return this.#call<ServiceView>('GET', `/v1/services/${this.#service}`)
  }

  /** The addresses of these slots, as the load needs them. */
  async vips(slots: readonly ('production' | 'staging')[]): Promise<Vip[]> {
    const { vips } = await this.service()
    return slots.map(slot => {
      const vip = vips.find(each => each.slot === slot)
      if (vip === undefined || vip.port === null) throw new Error(`no ${slot} VIP: ${vip?.error}`)
      return { name: slot, host: vip.host, port: vip.port }
    })
  }

  async upload(archive: Buffer): Promise<string> {
    const answer = await this.#call<PackageAnswer>('POST', '/v1/packages', archive, 'application/gzip')
    return answer.digest
  }

  /** A mutation of the service that must succeed, waited for; `path` is what follows the service's name. */
  async change(path: string, body: unknown, timeoutMs = 180_000): Promise<OperationView> {
    const operation = await this.settled(path, body, timeoutMs)
    if (operation.status !== 'Succeeded') {
      throw new Error(`${path}: ${operation.status}, ${operation.error?.message ?? operation.progress.message}`)
    }
    return operation
  }

  /** A mutation of the service, waited for, however it ends. */
  async settled(path: string, body: unknown, timeoutMs = 180_000): Promise<OperationView> {
    const seconds = Math.ceil(timeoutMs / 1000)
    const url = `/v1/services/${this.#service}/${path}?wait=${seconds}`
    const accepted = await this.#call<Partial<OperationView> & { operationId?: string }>('POST', url, body)
    const id = accepted.id ?? accepted.operationId ?? ''
    let operation = await this.operation(id)
    const deadline = Date.now() + timeoutMs
    while (operation.status === 'InProgress' && Date.now() < deadline) {
      await delay(50)
      operation = await this.operation(id)
    }
    return operation
  }

  /** The operations of the service that are kept, newest first. */
  async operations(): Promise<OperationView[]> {
    const { operations } = await this.#call<{ operations: OperationView[] }>(
      'GET',
      `/v1/operations?service=${this.#service}`,
    )
    return operations
  }

  async operation(id: string): Promise<OperationView> {
    return this.#call<OperationView>('GET', `/v1/operations/${id}`)
  }

  async receipt(id: string): Promise<ReceiptView> {
    return this.#call<ReceiptView>('GET', `/v1/operations/${id}/receipt`)
  }

  /** Ends `up` by SIGINT, waits, and answers what was still there and had to be killed: nothing, if all is well. */
  async stop(timeoutMs = 60_000): Promise<string[]> {
    const family = [...descendants(this.#child.pid ?? 0), ...(await this.#instances())]
    const left: string[] = []
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const exit = once(this.#child, 'exit')
      this.#child.kill('SIGINT')
      const inTime = await Promise.race([exit.then(() => true), delay(timeoutMs, false, { ref: false })])
      if (!inTime) {
        left.push(`up (${this.#child.pid}) did not end in ${timeoutMs} ms`)
        this.#child.kill('SIGKILL')
        await exit
      }
    }
    const remaining = new Map((await expectGone(family, 2000)).map(each => [each.pid, each.command]))
    return [...left, ...[...remaining].map(([pid, command]) => `${pid}: ${command}`)]
  }

  /** Role processes that no longer descend from `up`, because their agent was started again. */
  async #instances(): Promise<ProcessMark[]> {
    try {
      const { slots } = await this.service()
      const instances = [...(slots.production?.instances ?? []), ...(slots.staging?.instances ?? [])]
      return instances.flatMap(({ pid }) => (pid === null ? [] : (markOf(pid) ?? [])))
    } catch {
      // It is not well enough to say.
      return []
    }
  }

  async #until(what: string, timeoutMs: number, probe: () => Promise<boolean | undefined>): Promise<void> {
    const deadline = Date.now() + timeoutMs
    let last = ''
    while (Date.now() < deadline) {
      if (this.#child.exitCode !== null) throw new Error(`up ended with ${this.#child.exitCode}`)
      try {
        if (await probe()) return
      } catch (error) {
        last = errorMessage(error)
      }
      await delay(100)
    }
    throw new Error(`waited ${timeoutMs} ms until ${what} ${last}`)
  }

  async #call<T>(method: string, path: string, body?: unknown, type = 'application/json'): Promise<T> {
    const payload = body === undefined ? null : Buffer.isBuffer(body) ? new Uint8Array(body) : JSON.stringify(body)
    const response = await fetch(this.#base + path, {
      method,
      body: payload,
      headers: payload === null ? {} : { 'content-type': type },
      signal: AbortSignal.timeout(method === 'GET' ? 10_000 : 300_000),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    // The contract's own types; the bench trusts the system it measures with no more than its numbers.
    return JSON.parse(text) as T
  }
}
