import { randomUUID } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Vip } from '../../../../bench/load/plan.ts'
import { pack } from '../../../../bench/system/packages.ts'
import type { Accepted } from '../../../../src/contracts/api/operation.ts'
import type { DeploymentView } from '../../../../src/contracts/api/deployment.ts'
import type { InstanceView } from '../../../../src/contracts/api/instance.ts'
import type { TrafficView } from '../../../../src/contracts/traffic.ts'
import { VipswapError } from '../../../../src/core/errors.ts'
import { listProcesses } from '../../../../src/core/process-identity.ts'
import type { Slot } from '../../../../src/model/slot.ts'
import { until } from '../../../support/until.ts'
import { pidOf, type System } from '../../support/system.ts'
import type { ExecutedLine, OperationLine, RequestLine } from '../history/line.ts'
import { timeNow } from '../history/recorder.ts'
import { watchService, type Watch } from '../history/watch.ts'
import { startClients, type Clients, type ClientsOptions } from './clients.ts'
import { notedLines, readNotes, type InstanceNote } from './instance-notes.ts'
import { countLosses, disagreements, type Losses } from './losses.ts'
import { SERVICE, writePackage, type PackageOptions } from './package.ts'
import type { Trial } from './trial.ts'

/** How long a call that got no answer is tried again; with its key, so that it is made once. */
const AWAY_MS = 30_000

export interface Load {
  readonly clients: Clients
  readonly watch: Watch
  /** Ends it, waits until the ledger has counted all, and compares the counts. `others`: of clients that were there, too. */
  finish(others?: readonly RequestLine[]): Promise<Losses>
  /** The same where the ledger must differ: strangers sent requests too, or a process that counted was killed. */
  finishUncounted(): Promise<Losses>
}

/** The real system under a fault, and what is done to it, recorded. */
export class Subject {
  readonly system: System
  readonly #trial: Trial
  /** Where instances note what they carried out. */
  readonly #notes: string
  #packages = 0

  constructor(trial: Trial, system: System) {
    this.#trial = trial
    this.system = system
    this.#notes = join(trial.folder(), 'notes')
    mkdirSync(this.#notes)
  }

  get client(): System['client'] {
    return this.system.client
  }

  /** A package of the suite's role, uploaded; answers its digest. */
  async upload(options: PackageOptions): Promise<string> {
    this.#packages += 1
    const folder = join(this.#trial.folder(), `p${this.#packages}`)
    const archive = await pack(writePackage(folder, this.#notes, options))
    return (await this.client.uploadPackage(archive, 'gzip')).digest
  }

  async deploy(options: PackageOptions, slot: Slot = 'production'): Promise<OperationLine> {
    const digest = await this.upload(options)
    return this.operate(`create ${slot}`, async idempotencyKey =>
      this.client.create(SERVICE, slot, { package: digest }, { idempotencyKey }),
    )
  }

  /** Deploys, and fails the trial at once if that does not succeed. */
  async deployed(options: PackageOptions, slot: Slot = 'production'): Promise<void> {
    const { outcome, code } = await this.deploy(options, slot)
    if (outcome !== 'Succeeded') throw new Error(`the deployment to ${slot} ended ${outcome} ${code ?? ''}`)
  }

  /** One change, to its end; over restarts of the controller too, as a careful caller does it. */
  async operate(call: string, send: (idempotencyKey: string) => Promise<Accepted>): Promise<OperationLine> {
    const start = timeNow()
    const key = randomUUID()
    const line = (rest: Omit<OperationLine, 'type' | 'call' | 'start' | 'end'>): OperationLine => {
      const done: OperationLine = { type: 'operation', call, start, end: timeNow(), ...rest }
      this.#trial.recorder.add(done)
      return done
    }
    let id: string | null = null
    let accepted: number | null = null
    for (;;) {
      try {
        id ??= (await send(key)).operationId
        accepted ??= timeNow()
        const { status, error } = await this.client.follow(id, { timeoutMs: 120_000 })
        return line({ id, accepted, outcome: status, code: error?.code ?? null })
      } catch (error) {
        if (!(error instanceof VipswapError)) throw error
        const lost = error.code === 'unreachable'
        if (!lost) return line({ id, accepted, outcome: id === null ? 'refused' : 'unknown', code: error.code })
        if (timeNow() - start > AWAY_MS) return line({ id, accepted, outcome: 'unknown', code: error.code })
        await delay(50)
      }
    }
  }

  async view(slot: Slot = 'production'): Promise<DeploymentView> {
    const view = (await this.client.service(SERVICE)).slots[slot]
    if (view === null) throw new Error(`nothing is in ${slot}`)
    return view
  }

  async instance(id: string, slot: Slot = 'production'): Promise<InstanceView> {
    const found = (await this.view(slot)).instances.find(each => each.id === id)
    if (found === undefined) throw new Error(`there is no ${id} in ${slot}`)
    return found
  }

  /** Process groups of the instances, by id. */
  async pids(slot: Slot = 'production'): Promise<Map<string, number>> {
    const { instances } = await this.view(slot)
    return new Map(instances.flatMap(({ id, pid }) => (pid === null ? [] : [[id, pid] as const])))
  }

  /** Sends a signal to an instance's whole process group. */
  async signal(id: string, signal: NodeJS.Signals, slot: Slot = 'production'): Promise<void> {
    const { pid } = await this.instance(id, slot)
    if (pid === null) throw new Error(`${id} has no process`)
    this.#trial.injected(`${signal} to ${id}`)
    process.kill(-pid, signal)
  }

  /** Kills process groups; answers when the last process of them was gone, which a busy system takes its time for. */
  async killGroups(groups: readonly number[]): Promise<number> {
    this.#trial.injected(`SIGKILL to ${groups.join(', ')}`)
    for (const pid of groups) process.kill(-pid, 'SIGKILL')
    const lives = (): boolean => listProcesses().some(({ group, alive }) => alive && groups.includes(group))
    await until('the groups are gone', () => !lives(), { intervalMs: 2 })
    return timeNow()
  }

  /** Sends a signal to one of `up`'s parts: `controller`, `proxy-0`, `node-1`. */
  signalPart(name: string, signal: NodeJS.Signals): number {
    const pid = pidOf(this.system, name)
    this.#trial.injected(`${signal} to ${name}`)
    process.kill(pid, signal)
    return pid
  }

  /** Kills a part and waits until another has its place and the system is ready. */
  async killPart(name: string): Promise<void> {
    const pid = this.signalPart(name, 'SIGKILL')
    await until(`${name} is started again`, () => pidOf(this.system, name) !== pid, { timeoutMs: 20_000 })
    await this.ready()
  }

  async ready(): Promise<void> {
    const isReady = async (): Promise<boolean> => (await fetch(`${this.system.admin}/readyz`)).ok
    await until('the system is ready', isReady, { timeoutMs: 30_000 })
  }

  /** Waits until every instance of a slot is chosen from. */
  async allIn(slot: Slot = 'production', timeoutMs = 30_000): Promise<void> {
    await until(
      `all instances in ${slot} are in`,
      async () => {
        const { instances } = await this.view(slot)
        return (
          instances.length > 0 && instances.every(({ routing, status }) => routing === 'in' && status === 'ReadyRole')
        )
      },
      { timeoutMs, intervalMs: 50 },
    )
  }

  async vips(slots: readonly Slot[] = ['production']): Promise<Vip[]> {
    const { vips } = await this.client.service(SERVICE)
    return slots.map(slot => {
      const vip = vips.find(each => each.slot === slot)
      if (vip === undefined || vip.port === null) throw new Error(`no address in ${slot}: ${vip?.error}`)
      return { name: slot, host: vip.host, port: vip.port }
    })
  }

  /** Starts clients on the addresses of these slots; waits until each kind of request has been answered. */
  async load(options: Partial<ClientsOptions> & { slots?: readonly Slot[] } = {}): Promise<Load> {
    const vips = options.vips ?? (await this.vips(options.slots))
    const { mark } = await this.client.mark(SERVICE)
    const watch = watchService(this.client, SERVICE, this.#trial.recorder)
    const clients = startClients(this.#trial.recorder, { ...options, vips })
    this.#trial.teardown(async () => {
      await clients.stop()
      await watch.stop()
    })
    const end = async (others: readonly RequestLine[], alone: boolean): Promise<Losses> => {
      const requests = [...(await clients.stop()), ...others]
      const traffic = alone ? await this.#settledTraffic(mark) : null
      await watch.stop()
      const losses = countLosses(requests, this.#packages === 0 ? null : this.#executed(), traffic)
      this.#trial.unmet.push(...disagreements(losses))
      return losses
    }
    const load: Load = {
      clients,
      watch,
      finish: async (others = []) => end(others, true),
      finishUncounted: async () => end([], false),
    }
    await more(load, 30)
    return load
  }

  /** What the instances noted. */
  notes(): InstanceNote[] {
    return readNotes(this.#notes)
  }

  /** The same as lines of a recording. */
  noted(): ReturnType<typeof notedLines> {
    return notedLines(this.#notes)
  }

  /** Null where the controller cannot say. */
  async #settledTraffic(mark: string): Promise<TrafficView | null> {
    try {
      return await until('all requests have ended', async () => {
        const traffic = await this.client.traffic(SERVICE, mark)
        return traffic.totals.open === 0 || !traffic.complete ? traffic : null
      })
    } catch {
      return null
    }
  }

  /** Records what the instances noted, and answers the POSTs that they carried out. */
  #executed(): ExecutedLine[] {
    const executed: ExecutedLine[] = []
    for (const line of this.noted()) {
      this.#trial.recorder.add(line)
      if (line.type === 'executed') executed.push(line)
    }
    return executed
  }
}

/** Waits until so many more requests have been answered. */
export async function more({ clients }: Load, count = 50): Promise<void> {
  const before = clients.answered()
  await until(`${count} more requests are answered`, () => clients.answered() >= before + count, { timeoutMs: 30_000 })
}
