import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { AssignedInstance, RunSpec } from '../src/contracts/assignment.ts'
import type { Clock } from '../src/core/clock.ts'
import { VipswapError } from '../src/core/errors.ts'
import type { Logger } from '../src/core/logger.ts'
import { readProcess } from '../src/core/process-identity.ts'
import type { Command } from '../src/model/definition.ts'
import type { AgentMetrics } from './agent-metrics.ts'
import { accountOf, openWay, type Account } from './account.ts'
import { carried, restoringWords } from './carried-environment.ts'
import type { CgroupTree } from './cgroup.ts'
import { confinedWords, type Confinement } from './confinement.ts'
import { roleEnvironment } from './environment.ts'
import type { InstanceFolders } from './folders.ts'
import { startKeeper } from './keeper.ts'
import { KeptProcess } from './kept-process.ts'
import { leftoversOf } from './leftovers.ts'
import type { PackageCache } from './package-cache.ts'
import type { PortAllocator } from './ports.ts'
import { writeRecord, type RunRecord } from './run-record.ts'
import type { StrayScanner } from './strays.ts'
import { writeTold } from './told.ts'

/** What an instance needs of its node. */
export interface InstanceContext {
  readonly host: string
  /** Where proxies reach what listens there. */
  readonly advertise: string
  readonly clock: Clock
  readonly log: Logger
  readonly packages: Pick<PackageCache, 'ensure'>
  readonly ports: Pick<PortAllocator, 'allocate'>
  /** Where removed folders go before they are deleted. */
  readonly trash: string
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly metrics: AgentMetrics
  readonly secretOf: (sealed: string) => string | null
  /** The data folder: what lies above it is not ours. */
  readonly data: string
  readonly confinement: Confinement
  readonly strays: StrayScanner
  /** null: the agent was given none. */
  readonly cgroups: CgroupTree | null
  /** Something an observation shows has changed. */
  readonly onChange: () => void
}

export interface Launch {
  readonly assigned: AssignedInstance
  readonly attempt: number
  readonly folders: InstanceFolders
  /** Aborted when the instance is no longer wanted like this. */
  readonly signal: AbortSignal
  readonly onRecord: (record: RunRecord) => void
}

export interface Launched {
  readonly process: KeptProcess
  /** Monotonic clock when its start time-out began. */
  readonly begunAt: number
}

/**
 * One attempt: package, folders, ports, startup commands, the role's command under its keeper. Throws what failed, in
 * words, with nothing left running; `cancelled` if the signal fired.
 */
export async function launch(context: InstanceContext, plan: Launch): Promise<Launched> {
  const { assigned, folders, signal } = plan
  const { spec } = assigned
  const packageDirectory = await orAborted(context.packages.ensure(spec.package), signal)
  const begunAt = context.clock.now().mono
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(spec.startTimeoutMs)])

  const account = accountFor(context, spec)
  await folders.recycle(assigned)
  await folders.prepare(assigned, packageDirectory, account)
  if (account !== null) openWay(context.data, folders.root, account)
  throwIfAborted(bounded, signal)
  const roleRoot = join(folders.files(assigned.incarnation), spec.path)
  if (!existsSync(roleRoot)) {
    throw new VipswapError('start_failed', `the package has no folder "${spec.path}" for role ${assigned.role}`)
  }
  await writeTold(folders, assigned, context.confinement, account)
  const numbers = await context.ports.allocate(spec.endpoints.length)
  const ports = Object.fromEntries(spec.endpoints.map(({ name }, index) => [name, numbers[index] ?? 0]))
  const env = roleEnvironment(assigned, {
    host: context.host,
    ports,
    folders,
    roleRoot,
    own: context.environment,
    secretOf: context.secretOf,
  })
  const authored = Object.keys(spec.env)

  const run = async (command: Command, phase: 'startup' | 'run'): Promise<KeptProcess> => {
    throwIfAborted(bounded, signal)
    const moment = context.clock.now()
    const token = randomBytes(12).toString('hex')
    const intent: RunRecord = {
      schema: 1,
      assigned,
      attempt: plan.attempt,
      phase: 'intent',
      token,
      pid: null,
      startTime: null,
      bootId: moment.bootId,
      ports,
      health: 'starting',
      since: moment.wall,
      readySince: null,
    }
    const record = (next: RunRecord): void => {
      writeRecord(folders.record, next)
      plan.onRecord(next)
    }
    record(intent)
    const exitFile = folders.exitFile(token)
    const keeper = await startKeeper({
      command,
      cwd: roleRoot,
      env: carried(env, authored),
      output: folders.log,
      exitFile,
      token,
      openFiles: spec.limits?.openFiles ?? null,
      confine: own => confinedWords(context.confinement, account, restoringWords(authored, own)),
    })
    const startTime = readProcess(keeper.pid)?.startTime ?? ''
    const leftovers = leftoversOf(context, folders.root, token)
    const kept = KeptProcess.ofChild({ pid: keeper.pid, startTime, exitFile }, keeper.child, leftovers)
    try {
      context.cgroups?.create(token, spec.limits).admit(keeper.pid)
      record({ ...intent, phase, pid: keeper.pid, startTime })
    } catch (error) {
      // Not on record (a full disk), or not in its group: the keeper must not wait for a word that will not come.
      await kept.stop(0)
      throw error
    }
    keeper.go()
    return kept
  }

  for (const command of spec.startup) {
    const kept = await run(command, 'startup')
    const onAbort = (): void => void kept.stop(spec.stopTimeoutMs)
    bounded.addEventListener('abort', onAbort)
    // While it was being started, when nobody listened.
    if (bounded.aborted) onAbort()
    const { exit } = await kept.ended
    bounded.removeEventListener('abort', onAbort)
    throwIfAborted(bounded, signal)
    if (exit.code !== 0) throw new VipswapError('start_failed', `startup command ${words(command)} ${exit.text}`)
  }
  return { process: await run(tellable(spec), 'run'), begunAt }
}

/** As whom it runs, where that is not the agent's own user. Throws `start_failed` where that cannot be. */
function accountFor({ confinement }: InstanceContext, { user }: RunSpec): Account | null {
  const account = user === undefined ? null : accountOf(user)
  if (account === null || confinement.setpriv !== null) return account
  throw new VipswapError(
    'start_failed',
    `it is to run as ${account.name}, and this machine has no setpriv (util-linux)`,
  )
}

/** The shell around a command must outlive the signal that is for the command: handled, not ignored, which would be inherited. */
function tellable({ command, settingsReload }: RunSpec): Command {
  if (settingsReload === undefined || typeof command !== 'string') return command
  return `trap : ${settingsReload.slice('SIG'.length)}\n${command}`
}

function words(command: Command): string {
  return JSON.stringify(typeof command === 'string' ? command : command.join(' '))
}

function throwIfAborted(bounded: AbortSignal, signal: AbortSignal): void {
  if (signal.aborted) throw new VipswapError('cancelled', 'no longer wanted like this')
  if (bounded.aborted) throw new VipswapError('timed_out', 'its startup did not end within startTimeout')
}

async function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(new VipswapError('cancelled', 'no longer wanted like this'))
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
