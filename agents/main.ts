import { existsSync } from 'node:fs'
import { availableParallelism, totalmem } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { MAX_SOCKET_PATH } from '../src/contracts/link.ts'
import { createSystemClock } from '../src/core/clock.ts'
import { VipswapError, errorMessage } from '../src/core/errors.ts'
import { createId } from '../src/core/ids.ts'
import { lockFile } from '../src/core/lock-file.ts'
import { createLogger } from '../src/core/logger.ts'
import { openMembership } from '../src/core/member/membership.ts'
import { contentDigest } from '../src/packages/digest.ts'
import { NodeAgent } from './agent.ts'
import { CgroupTree } from './cgroup.ts'
import { confines, findConfinement, lacks } from './confinement.ts'
import { closeInherited } from './inherited.ts'
import { ControllerLink } from './link.ts'
import { LogStreams } from './log-streams.ts'
import { ControllerPackageSource } from './package-source.ts'
import { readTrustedKeys } from './package-trust.ts'

const USAGE =
  'usage: agents/main.js --data DIR (--run DIR | --controller https://HOST:PORT [--join TOKEN]) --node NAME [--host ADDRESS] [--advertise ADDRESS] [--cores N] [--fault-domain N] [--upgrade-domain N] [--trusted-keys FILE] [--cgroup DIR] [--replace]'
const REPORT_MS = 10
const METRICS_MS = 2000
const STOP_POLL_MS = 250

interface Arguments {
  readonly data: string
  readonly run: string
  readonly node: string
  readonly host: string
  /** Where proxies reach what listens on `host`. */
  readonly advertise: string
  /** Of a controller on another machine; null: its socket is in `run`. */
  readonly controller: string | null
  readonly join: string | undefined
  readonly cores: number
  readonly faultDomain: number | null
  readonly upgradeDomain: number | null
  readonly trustedKeys: Readonly<Record<string, string>> | null
  /** A folder of cgroup v2 that is ours to make groups in. */
  readonly cgroup: string | null
  /** Ask an agent that runs this node to leave, and take its instances over. */
  readonly replace: boolean
}

/** Throws `usage`. */
function readArguments(): Arguments {
  try {
    const text = { type: 'string' } as const
    const { values } = parseArgs({
      options: {
        data: text,
        run: text,
        node: text,
        host: text,
        advertise: text,
        controller: text,
        join: text,
        cores: text,
        'fault-domain': text,
        'upgrade-domain': text,
        'trusted-keys': text,
        cgroup: text,
        replace: { type: 'boolean' },
      },
    })
    const { data, node, controller, host = '127.0.0.1' } = values
    const run = values.run ?? (controller === undefined || data === undefined ? undefined : join(data, 'run'))
    if (data === undefined || run === undefined || node === undefined)
      throw new Error('--data, --node and --run or --controller are needed')
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(node)) throw new Error(`"${node}" cannot be a node's name`)
    return {
      data: resolve(data),
      run: resolve(run),
      node,
      host,
      advertise: values.advertise ?? host,
      controller: controller ?? null,
      join: values.join,
      cores: readNumber('cores', values.cores) ?? availableParallelism(),
      faultDomain: readNumber('fault-domain', values['fault-domain']),
      upgradeDomain: readNumber('upgrade-domain', values['upgrade-domain']),
      trustedKeys: values['trusted-keys'] === undefined ? null : readTrustedKeys(values['trusted-keys']),
      cgroup: values.cgroup ?? null,
      replace: values.replace ?? false,
    }
  } catch (error) {
    throw new VipswapError('usage', `${errorMessage(error)}\n${USAGE}`)
  }
}

function readNumber(name: string, text: string | undefined): number | null {
  if (text === undefined) return null
  if (!/^\d+$/.test(text)) throw new Error(`--${name} takes a number, not "${text}"`)
  return Number(text)
}

async function main(): Promise<void> {
  const options = readArguments()
  const log = createLogger(`agent ${options.node}`)
  const clock = createSystemClock()
  const { bootId } = clock.now()
  const directory = join(options.data, 'nodes', options.node)
  const socketPath = join(options.run, 'controller.sock')
  const stopFile = join(options.run, 'stop')
  if (options.controller === null && Buffer.byteLength(socketPath) > MAX_SOCKET_PATH) {
    throw new VipswapError('usage', `${socketPath} is longer than ${MAX_SOCKET_PATH} bytes; choose a shorter --run`)
  }
  process.umask(0o077)
  closeInherited()
  const cgroups = options.cgroup === null ? null : new CgroupTree(options.cgroup, options.node)
  const confinement = findConfinement(process.env['PATH'])
  const gives = cgroups?.gives ?? []
  for (const line of lacks(confinement, gives)) log.warn(line)
  const unlock = await lockFile(join(directory, 'agent.lock'), 'another agent of this node', {
    replace: options.replace,
  })
  process.once('exit', unlock)
  const road =
    options.controller === null
      ? ({ kind: 'socket', path: socketPath } as const)
      : (
          await openMembership({
            controller: options.controller,
            token: options.join,
            identity: { kind: 'agent', name: options.node },
            folder: join(directory, 'member'),
            log,
            onRenewed: () => link.redial(),
          })
        ).road

  let stopping = false
  let report: NodeJS.Timeout | undefined
  const onChange = (): void => {
    if (stopping && agent.isStopped) finish()
    report ??= setTimeout(() => void sendReport(), REPORT_MS)
  }
  const sendReport = async (): Promise<void> => {
    // A slow controller gets the newest report when it is ready for one, not all of them.
    await link.drained()
    report = undefined
    link.send(agent.observed())
  }
  setInterval(() => link.send({ type: 'metrics', readings: agent.readings() }), METRICS_MS).unref()
  const finish = (): void => {
    link.send(agent.observed())
    link.close()
    cgroups?.close()
    log.info('every instance has stopped')
    setImmediate(() => process.exit(0))
  }

  const agent = new NodeAgent({
    name: options.node,
    directory,
    host: options.host,
    advertise: options.advertise,
    clock,
    log,
    source: new ControllerPackageSource(road),
    digestOf: contentDigest,
    environment: process.env,
    confinement,
    cgroups,
    ...(options.trustedKeys === null ? {} : { trustedKeys: options.trustedKeys }),
    onChange,
  })
  const incarnation = createId('agent')
  const link = new ControllerLink({
    road,
    log,
    hello: () => ({
      type: 'hello',
      peer: 'agent',
      id: options.node,
      incarnation,
      bootId,
      applied: agent.applied,
      node: {
        cores: options.cores,
        memoryBytes: totalmem(),
        host: options.advertise,
        faultDomain: options.faultDomain,
        upgradeDomain: options.upgradeDomain,
        confines: confines(confinement, gives),
      },
    }),
    onOpen: onChange,
    onMessage: message => {
      switch (message.type) {
        case 'assignment': {
          try {
            const refusal = agent.apply(message.assignment)
            if (refusal !== null) link.send(refusal)
          } catch (error) {
            // Could not be made durable, so it is not applied; the controller says it again after a new hello.
            log.error({ error: errorMessage(error) }, 'could not apply an assignment')
            link.redial()
          }
          break
        }
        case 'log':
          void logs.start(message)
          break
        case 'log-cancel':
          logs.cancel(message.request)
      }
    },
    onClose: () => logs.cancelAll(),
  })
  const logs = new LogStreams({
    logOf: key => agent.logOf(key),
    send: message => link.send(message),
    drained: async () => link.drained(),
  })

  const stopInstances = (): void => {
    if (stopping) return
    stopping = true
    log.info('stopping every instance')
    agent.stopAll()
    if (agent.isStopped) finish()
  }
  const onSignal = (): void => {
    // Without the stop file this is only the agent's end: instances serve on, and the next agent takes them over.
    if (existsSync(stopFile)) stopInstances()
    else process.exit(0)
  }
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
  process.on('SIGHUP', () => {})

  await agent.start({ stopping: existsSync(stopFile) })
  link.start()
  if (existsSync(stopFile)) stopInstances()
  setInterval(() => {
    if (existsSync(stopFile)) stopInstances()
  }, STOP_POLL_MS).unref()
}

main().catch((error: unknown) => {
  const usage = error instanceof VipswapError && error.code === 'usage'
  createLogger('agent').fatal({ error }, errorMessage(error))
  process.exit(usage ? 2 : 1)
})
