import { InvalidArgumentError, type Command } from 'commander'
import { parseDuration } from '../core/duration.ts'
import { errorMessage } from '../core/errors.ts'
import { UPGRADE_MODES } from '../model/states.ts'
import { Option } from 'commander'
import { createSession, type GlobalFlags, type Session } from './session.ts'
import type { Terminal } from './terminal.ts'

/** What a verb needs to be defined. */
export interface VerbContext {
  readonly terminal: Terminal
  /** Told how the verb ended. */
  readonly setExitCode: (code: number) => void
  /** What followed `--` on the command line of `up`: a command of the user's; empty: nothing did. */
  readonly userCommand: readonly string[]
}

/** Defines what a verb does: gets a session, its arguments and its own flags; the session is closed afterwards. */
export function act<Flags extends object>(
  command: Command,
  { terminal, setExitCode }: VerbContext,
  run: (session: Session, flags: Flags, args: string[]) => Promise<void>,
): void {
  command.action(async () => {
    // Commander knows the options only by their declaration; each verb names the type of what it declared.
    const flags = command.optsWithGlobals<GlobalFlags & Flags>()
    const session = createSession(flags, terminal)
    try {
      await run(session, flags, command.args)
      setExitCode(session.exitCode)
    } finally {
      await session.client.close()
    }
  })
}

export function duration(text: string): number {
  try {
    return parseDuration(text)
  } catch (error) {
    throw new InvalidArgumentError(errorMessage(error))
  }
}

export function count(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('write a whole number')
}

export function modeOption(): Option {
  return new Option('--mode <mode>', 'what happens between upgrade domains').choices(UPGRADE_MODES)
}
