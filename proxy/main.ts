import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { MAX_SOCKET_PATH } from '../src/contracts/link.ts'
import { parseDuration } from '../src/core/duration.ts'
import { VipswapError, errorMessage } from '../src/core/errors.ts'
import { lockFile } from '../src/core/lock-file.ts'
import { createLogger } from '../src/core/logger.ts'
import type { ControllerRoad } from '../src/core/member/controller-road.ts'
import { openMembership } from '../src/core/member/membership.ts'
import { onShutdown } from '../src/core/shutdown.ts'
import { Holder } from './holder/holder.ts'
import { PidFile } from './holder/pid-file.ts'
import { StopFile } from './holder/stop-file.ts'
import { askForReplacement, runningProxy } from './holder/succession/ask.ts'
import { handOver, type Handover } from './holder/succession/predecessor.ts'
import { takeRequest, writeAnswer, type ReplaceAnswer } from './holder/succession/request.ts'
import { Succession } from './holder/succession/successor.ts'

const STOP_POLL_MS = 250
const USAGE =
  'usage: proxy --data DIR (--run DIR | --controller https://HOST:PORT [--join TOKEN]) [--id NAME] [--workers N]\n' +
  '       proxy --replace [--data DIR] [--id NAME] [--workers N] [--drain-timeout 5m]'

const log = createLogger('proxy')
const values = read()
const data = values.data ?? (values.replace ? '.vipswap' : usage('--data and --run are missing'))
const folder = join(data, 'proxy', values.id)
const workers = Number(values.workers ?? 1)
if (!Number.isInteger(workers) || workers < 1) usage(`${values.workers ?? ''} is no number of workers`)

if (values.replace) await replace()
else
  await serve(
    values.run ?? (values.controller === undefined ? usage('--run is missing') : join(data, 'run')),
    values.successor ? new Succession(abandoned) : null,
  )

function read() {
  try {
    return parseArgs({
      options: {
        data: { type: 'string' },
        run: { type: 'string' },
        // Of a controller on another machine.
        controller: { type: 'string' },
        join: { type: 'string' },
        id: { type: 'string', default: 'proxy-0' },
        workers: { type: 'string' },
        replace: { type: 'boolean', default: false },
        'drain-timeout': { type: 'string', default: '5m' },
        // By a proxy that starts the process that is to take its place.
        successor: { type: 'boolean', default: false },
      },
    }).values
  } catch (error) {
    return usage(errorMessage(error))
  }
}

function abandoned(): void {
  log.error('the proxy that this one was to replace is gone: ending')
  process.exit(1)
}

function usage(fault: string): never {
  process.stderr.write(`${fault}\n${USAGE}\n`)
  process.exit(2)
}

async function replace(): Promise<void> {
  const running = runningProxy(folder)
  if (running === null) {
    process.stderr.write(`no proxy ${values.id} runs on ${data}: "vipswap proxy --data DIR --run DIR" starts one\n`)
    process.exit(1)
  }
  let done: (() => void) | null = null
  try {
    // One at a time: there is one file to ask by, and one for the answer.
    done = await lockFile(join(folder, 'replace.lock'), 'another replacement')
    const pid = await askForReplacement(folder, running, {
      execPath: process.execPath,
      script: process.argv[1] ?? '',
      workers: values.workers === undefined ? null : workers,
      drainMs: parseDuration(values['drain-timeout']),
    })
    process.stdout.write(`proxy ${values.id} is now pid ${pid}; pid ${running.pid} ends once nothing is left to it\n`)
  } catch (error) {
    process.stderr.write(`proxy ${values.id} (pid ${running.pid}) was not replaced: ${errorMessage(error)}\n`)
    process.exitCode = 1
  } finally {
    done?.()
  }
}

/** Exits where there is no way to the controller: before anything is bound, so that nothing changes. */
async function openRoad(run: string): Promise<ControllerRoad> {
  if (values.controller === undefined) return { kind: 'socket', path: join(run, 'controller.sock') }
  try {
    const { road } = await openMembership({
      controller: values.controller,
      token: values.join,
      identity: { kind: 'proxy', name: values.id },
      folder: join(folder, 'member'),
      log,
    })
    return road
  } catch (error) {
    log.fatal(errorMessage(error))
    return process.exit(error instanceof VipswapError && error.code === 'usage' ? 2 : 1)
  }
}

async function serve(run: string, succession: Succession | null): Promise<void> {
  // Before anything can ask for it: unhandled it would end this process.
  process.on('SIGUSR2', () => void beReplaced())
  if (values.controller === undefined && Buffer.byteLength(join(run, 'controller.sock')) > MAX_SOCKET_PATH) {
    log.fatal(`the run folder's path is too long for a socket in it (at most ${MAX_SOCKET_PATH} bytes)`)
    process.exit(2)
  }
  let unlock: (() => void) | null = null
  process.on('exit', () => unlock?.())
  const lock = async (): Promise<void> => {
    if (unlock !== null) return
    try {
      unlock = await lockFile(join(folder, 'proxy.lock'), `proxy ${values.id}`)
    } catch (error) {
      if (error instanceof VipswapError) throw error
      // A full disk must not keep traffic waiting.
      log.error({ error: errorMessage(error) }, 'no lock could be taken; going on without')
    }
  }
  const inherited = await succession?.inheritance()
  if (succession === null) {
    try {
      await lock()
    } catch (error) {
      log.fatal(errorMessage(error))
      process.exit(1)
    }
  }

  const controller = await openRoad(run)
  const holder = new Holder({ data, controller, id: values.id, workers, log, ...(inherited && { inherited }) })
  const ending = new AbortController()
  const begin = onShutdown(
    async () => {
      ending.abort()
      succession?.stop()
      await holder.stop()
    },
    { deadlineMs: 15_000, log },
  )
  const pidFile = new PidFile(data, values.id)
  const stopFile = new StopFile(run, data)
  const poll = setInterval(() => {
    if (!stopFile.isMine) return
    clearInterval(poll)
    begin('stop file')
  }, STOP_POLL_MS)
  poll.unref()
  holder.start()

  if (succession !== null) {
    await holder.serving()
    await succession.serves(holder)
    await lock()
    pidFile.takeFrom(succession.predecessor)
    succession.took()
  }

  let replaced = false
  async function beReplaced(): Promise<void> {
    const request = takeRequest(folder)
    if (request === null) return
    if (replaced) {
      tell({ id: request.id, pid: null, error: 'it is being replaced already' })
      return
    }
    replaced = true
    let over: Handover
    try {
      over = await handOver(holder, request, {
        args: process.argv.slice(2),
        log,
        ending: ending.signal,
        alone: async () => succession?.alone,
        release: () => {
          unlock?.()
          unlock = null
        },
        reclaim: async from => {
          await lock()
          pidFile.takeFrom(from)
        },
        onStop: () => begin('the successor was told to stop'),
      })
    } catch (error) {
      replaced = false
      log.error({ error: errorMessage(error) }, 'not replaced')
      tell({ id: request.id, pid: null, error: errorMessage(error) })
      return
    }
    tell({ id: request.id, pid: over.pid, error: null })
    await over.left
    process.exit(0)
  }
}

/** Whoever asked may wait in vain where the disk is full; what was done is done. */
function tell(answer: ReplaceAnswer): void {
  try {
    writeAnswer(folder, answer)
  } catch (error) {
    log.error({ error: errorMessage(error) }, 'who asked for the replacement cannot be told')
  }
}
