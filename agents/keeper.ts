import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs'
import { constants } from 'node:os'
import type { Command } from '../src/model/definition.ts'

/** How keepers are recognised in a list of processes: their `$0`. */
export const KEEPER_NAME = 'vipswap-keeper'

/**
 * The keeper: session and group leader, parent of one command, outlives the agent. `$1` is a token only for recognition,
 * `$2` the exit file, `$3` how many files may be open (empty: as many as here), the rest the command.
 * - What it makes is the user's own (umask), and it leaves no core with what was in its memory.
 * - Traps with a handler, not '': an ignored signal would be inherited by the command, a handled one is not.
 * - It starts nothing before it read `go`: an agent that dies before it recorded this pid closes the pipe, and the keeper
 *   leaves. So no process runs that no record knows.
 * - The command runs in the foreground: a shell without job control starts background commands with SIGINT ignored.
 * - `unset`: what the shell adds to the environment by itself is not the command's.
 */
const KEEPER_SCRIPT = `
exit_file=$2
files=$3
shift 3
umask 077
ulimit -c 0 2>/dev/null
[ -z "$files" ] || ulimit -n "$files"
trap : TERM INT HUP QUIT USR1 USR2
IFS= read -r go && [ "$go" = go ] || exit 0
exec </dev/null
unset go PWD OLDPWD SHLVL
"$@"
code=$?
printf '%s' "$code" >"$exit_file.tmp" && command -p mv -f "$exit_file.tmp" "$exit_file"
`

export interface KeeperOptions {
  readonly command: Command
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  /** Output of the command goes here, appended. */
  readonly output: string
  readonly exitFile: string
  readonly token: string
  /** null: as the agent has. */
  readonly openFiles: number | null
  /** The words that a command is run by, around its own. */
  readonly confine: (words: readonly string[]) => readonly string[]
}

export interface StartedKeeper {
  readonly pid: number
  readonly child: ChildProcess
  /** Lets the command start; to be called once the pid is on record. */
  go(): void
}

/** Starts a keeper that waits for `go()`. Throws if the shell itself cannot be started. */
export async function startKeeper(options: KeeperOptions): Promise<StartedKeeper> {
  const { command, cwd, env, exitFile, token, openFiles, confine } = options
  const words = typeof command === 'string' ? ['/bin/sh', '-c', command] : command
  rmSync(exitFile, { force: true })
  const output = openSync(options.output, 'a', 0o600)
  try {
    const child = spawn(
      '/bin/sh',
      ['-c', KEEPER_SCRIPT, KEEPER_NAME, token, exitFile, String(openFiles ?? ''), ...confine(words)],
      {
        cwd,
        env: { ...env },
        detached: true,
        stdio: ['pipe', output, output],
      },
    )
    child.unref()
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve)
      child.once('error', reject)
    })
    const { pid, stdin } = child
    if (pid === undefined || stdin === null) throw new Error('the keeper has no pid')
    // A keeper that died before `go` must not end the agent with EPIPE.
    stdin.on('error', () => {})
    return { pid, child, go: () => stdin.end('go\n') }
  } finally {
    closeSync(output)
  }
}

export interface Exit {
  readonly code: number | null
  readonly signal: string | null
  /** In words: `exited with status 3`, `killed by SIGKILL`. */
  readonly text: string
}

/** What a keeper wrote about its command's end; null if it wrote nothing (killed with its group, or never told to go). */
export function readExit(exitFile: string): Exit | null {
  let text: string
  try {
    text = readFileSync(exitFile, 'utf8')
  } catch {
    return null
  }
  return /^\d+$/.test(text) ? describeStatus(Number(text)) : null
}

/** A shell's `$?`: 128 + n stands for death by signal n. */
export function describeStatus(status: number): Exit {
  const signal = status > 128 ? signalName(status - 128) : undefined
  if (signal !== undefined) return { code: null, signal, text: `killed by ${signal}` }
  const hint = status === 127 ? ' (command not found)' : status === 126 ? ' (command not executable)' : ''
  return { code: status, signal: null, text: `exited with status ${status}${hint}` }
}

function signalName(number: number): string | undefined {
  return Object.entries(constants.signals).find(([, value]) => value === number)?.[0]
}
