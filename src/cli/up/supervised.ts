import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { backoffDelay } from '../../core/backoff.ts'
import { outdated } from './outdated.ts'
import { readLive, removePidFile, writePidFile, type PidRecord } from './pid-file.ts'
import { ownVersion } from '../../core/version.ts'
import { identify, isAlive, signalProcess } from '../../core/process-identity.ts'

export interface Part {
  /** `controller`, `proxy-0`, `node-1`: also the name of its log and pid file. */
  readonly name: string
  /** The script node runs. */
  readonly script: string
  readonly args: readonly string[]
  /** Digest of the configuration that it would read now. */
  readonly configuration?: () => string
}

export type PartEvent =
  | { readonly kind: 'started'; readonly name: string; readonly pid: number }
  /** `outdated`: why it is not what would be started now; null where it is. */
  | { readonly kind: 'adopted'; readonly name: string; readonly pid: number; readonly outdated: string | null }
  /** The supervisor before this one was ended; what it kept is kept on. */
  | { readonly kind: 'displaced'; readonly name: string; readonly pid: number }
  /** An outdated one has ended; what takes its place is started, or has been. */
  | { readonly kind: 'renewed'; readonly name: string; readonly pid: number; readonly outdated: string }
  /** It started a successor itself, which has taken its place. */
  | { readonly kind: 'replaced'; readonly name: string; readonly pid: number }
  | { readonly kind: 'died'; readonly name: string; readonly restartMs: number; readonly how: string }

/** One process that is kept running. */
export interface Supervised {
  readonly part: Part
  /** Deaths in a row, each soon after its start. */
  readonly quickDeaths: number
  pid(): number | null
  /** No more restarts: it may end by itself from now on. */
  retire(): void
  /** Starts a retired one that is down: what it ran is still there, and it finds the stop file. */
  endWhatItLeft(): void
  /** Retires it; tells the process to end and resolves true once it has, false after `deadlineMs`; then it keeps nobody here. */
  stop(deadlineMs: number): Promise<boolean>
  /** SIGKILL. Only after `stop` gave up. */
  kill(): void
}

const RESTART = { firstMs: 200, capMs: 5000 }
/** A process that lived this long begins anew: its next restart is at once. */
const SETTLED_MS = 10_000
/** How often an adopted process is looked at; it is nobody's child here, so its end makes no event. */
const WATCH_MS = 200
/** How often a child is asked for a successor. */
const SUCCESSOR_MS = 1000

/**
 * Keeps one process running: adopts the live one its pid file names, else starts it, in a session of its own (a
 * terminal's Ctrl-C does not reach it) with its output appended to `logs/<name>.log`; starts it again when it dies, the
 * first time at once. A successor that it puts into the pid file is the one that is kept running then.
 */
export function supervise(
  part: Part,
  directories: { readonly logs: string; readonly pids: string },
  onEvent: (event: PartEvent) => void,
): Supervised {
  const { pids } = directories
  let record: PidRecord | null = null
  let startedAt = performance.now()
  let quickDeaths = 0
  let stopping = false
  let told = false
  let revived = false
  let timer: NodeJS.Timeout | undefined
  let asking: NodeJS.Timeout | undefined
  let child: ChildProcess | undefined
  let onGone: (() => void) | undefined

  const died = (how: string): void => {
    record = null
    removePidFile(pids, part.name)
    if (stopping) {
      // Killed by what it handles: it had just begun, and has not ended what it is there for. The stop file tells it to.
      if (told && !revived && how === 'SIGTERM') {
        revived = true
        start()
      } else onGone?.()
      return
    }
    if (performance.now() - startedAt >= SETTLED_MS) quickDeaths = 0
    const restartMs = quickDeaths === 0 ? 0 : backoffDelay(quickDeaths - 1, RESTART)
    quickDeaths += 1
    onEvent({ kind: 'died', name: part.name, restartMs, how })
    timer = setTimeout(start, restartMs)
  }

  const watch = (adopted: PidRecord): void => {
    timer = setTimeout(() => {
      if (followSuccessor()) return
      if (isAlive(adopted)) watch(adopted)
      else died('it ended')
    }, WATCH_MS)
    if (stopping) timer.unref()
  }

  const followSuccessor = (): boolean => {
    const successor = readLive(pids, part.name)
    if (successor === null || successor.pid === record?.pid) return false
    record = successor
    clearInterval(asking)
    onEvent({ kind: 'replaced', name: part.name, pid: successor.pid })
    // What its predecessor was told is meant for whoever has the place.
    if (told) signalProcess(successor, 'SIGTERM')
    watch(successor)
    return true
  }

  const start = (): void => {
    startedAt = performance.now()
    const log = openSync(join(directories.logs, `${part.name}.log`), 'a', 0o600)
    child = spawn(process.execPath, [part.script, ...part.args], {
      detached: true,
      stdio: ['ignore', log, log],
    })
    closeSync(log)
    child.once('error', error => died(error.message))
    if (child.pid === undefined) return
    const { pid } = child
    child.once('exit', (code, signal) => {
      clearInterval(asking)
      // Its place may have been taken long ago, or just now.
      if ((record !== null && record.pid !== pid) || followSuccessor()) return
      died(signal === null ? `exit status ${code ?? '?'}` : signal)
    })
    asking = setInterval(followSuccessor, SUCCESSOR_MS)
    asking.unref()
    // Even if it died already it is a zombie until this process looks, so its pid is its own; then it has no identity.
    const identity = identify(pid)
    if (identity !== null) {
      const { name, script, args, configuration } = part
      record = { ...identity, name, args: [...args], version: ownVersion(), script }
      if (configuration !== undefined) record = { ...record, configuration: configuration() }
      writePidFile(pids, record)
    }
    onEvent({ kind: 'started', name: part.name, pid })
  }

  record = readLive(pids, part.name)
  if (record === null) start()
  else {
    onEvent({ kind: 'adopted', name: part.name, pid: record.pid, outdated: outdated(record, part) })
    watch(record)
  }

  return {
    part,
    get quickDeaths() {
      return quickDeaths
    },
    pid: () => record?.pid ?? null,
    retire() {
      stopping = true
      if (record === null) clearTimeout(timer)
      // From now on this process stays for `stop` alone, not for one that does not end.
      timer?.unref()
      child?.unref()
    },
    endWhatItLeft() {
      if (record !== null) return
      revived = true
      start()
    },
    async stop(deadlineMs) {
      this.retire()
      if (record === null) return true
      told = true
      // One that has just begun would die of it before it could end anything; it looks for the stop file by itself.
      if (!revived) signalProcess(record, 'SIGTERM')
      return new Promise<boolean>(resolve => {
        const deadline = setTimeout(() => resolve(false), deadlineMs)
        onGone = () => {
          clearTimeout(deadline)
          resolve(true)
        }
      })
    },
    kill() {
      if (record !== null) signalProcess(record, 'SIGKILL')
    },
  }
}
