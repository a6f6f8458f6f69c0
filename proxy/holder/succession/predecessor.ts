import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Logger } from '../../../src/core/logger.ts'
import { Sending } from '../../connections/sending.ts'
import type { Holder } from '../holder.ts'
import type { FromSuccessor, ToSuccessor } from './messages.ts'
import type { ReplaceRequest } from './request.ts'

/** For the successor to come up and serve; else it is ended and nothing has changed. */
const SERVING_MS = 15_000
const TOOK_MS = 5000

export interface Place {
  /** The arguments this process was started with. */
  readonly args: readonly string[]
  readonly log: Logger
  /** This process has been told to end: then nobody takes its place any more. */
  readonly ending: AbortSignal
  /** Gives up what only one process may have, and takes it again from the process `from`, which is gone. */
  release(): void
  reclaim(from: number): Promise<void>
  /** Resolves when this process's own predecessor is gone: what that gives away goes through here. */
  readonly alone: () => Promise<void>
  /** The successor has been told to end. */
  onStop(): void
}

export interface Handover {
  /** Of the successor. */
  readonly pid: number
  /** Resolves when nothing is served here any more, nor by this process's own predecessor. */
  readonly left: Promise<void>
}

/**
 * Starts the successor as a child, hands it the listening sockets and waits until it serves: from then on it has taken
 * this process's place. Rejects if it does not come up; then nothing has changed.
 */
export async function handOver(holder: Holder, request: ReplaceRequest, place: Place): Promise<Handover> {
  const { log } = place
  place.ending.throwIfAborted()
  const { table, ticketKeys, listeners } = holder.beginHandover()
  const child = fork(request.script, ['--successor', ...argsFor(request, place.args)], {
    execPath: request.execPath,
    execArgv: [],
    // Its own session: it is to outlive this process, and a terminal's Ctrl-C is not for it.
    detached: true,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const send = (message: ToSuccessor, handle?: unknown): void => {
    // A native TCP handle may be sent as a socket may; only the types do not know.
    if (child.connected) child.send(message, handle as undefined, {}, () => {})
  }
  const { pid = 0 } = child
  const said = heardFrom(child, place.ending)
  let released = false
  try {
    const serving = said('serving', SERVING_MS)
    send({ type: 'inherit', table, ticketKeys, listeners: listeners.size })
    for (const [address, { port, handle }] of listeners) send({ type: 'listener', address, port }, handle)
    await serving
    place.release()
    released = true
    const took = said('took', TOOK_MS)
    send({ type: 'yours' })
    await took
  } catch (error) {
    // What it has written is not looked at before it can write no more.
    if (child.kill('SIGKILL')) await once(child, 'exit')
    holder.cancelHandover()
    if (released) await place.reclaim(pid)
    throw error
  }
  child.on('message', (message: FromSuccessor) => {
    if (message.type === 'stop') place.onStop()
  })
  log.info({ successor: pid }, 'the successor serves; leaving')
  // Those on their way to it: this process may not end before they are there.
  const moving = new Sending<ToSuccessor>(child)
  // 'disconnect' does not come while handles wait to be sent.
  child.on('close', () => moving.lost())
  const giveAway = (address: string, handle: unknown): void => {
    moving.give({ type: 'connection', address }, handle)
  }
  const left = holder.leave(giveAway, request.drainMs, place.alone).then(async () => moving.none())
  return { pid, left }
}

/** Those of this process, with as many workers as are asked for. */
function argsFor({ workers }: ReplaceRequest, own: readonly string[]): string[] {
  const args = own.filter(arg => arg !== '--successor')
  if (workers === null) return args
  // In the place of the number before: the next `up` compares the arguments with those it would give.
  const others = args.filter((arg, index) => arg !== '--workers' && args[index - 1] !== '--workers')
  return [...others, '--workers', String(workers)]
}

type Said = (type: FromSuccessor['type'], withinMs: number) => Promise<void>

/** Waits for a word of the successor. Rejects if it ends or is late, or `ending` comes first. */
function heardFrom(child: ChildProcess, ending: AbortSignal): Said {
  return async (type, withinMs) =>
    new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => finish(new Error(`the successor was not ${type} within ${withinMs} ms`)), withinMs)
      const onMessage = (message: FromSuccessor): void => {
        if (message.type === type) finish(null)
      }
      const onExit = (code: number | null, signal: NodeJS.Signals | null): void =>
        finish(new Error(`the successor ended (${signal ?? `exit status ${code ?? '?'}`})`))
      const onError = (error: Error): void => finish(new Error(`the successor could not be started: ${error.message}`))
      const onEnding = (): void => finish(new Error('this proxy was told to end meanwhile'))
      const finish = (error: Error | null): void => {
        clearTimeout(timer)
        child.off('message', onMessage).off('exit', onExit).off('error', onError)
        ending.removeEventListener('abort', onEnding)
        if (error === null) resolve()
        else reject(error)
      }
      child.on('message', onMessage).on('exit', onExit).on('error', onError)
      ending.addEventListener('abort', onEnding)
    })
}
