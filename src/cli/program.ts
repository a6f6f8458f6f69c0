import { Command, CommanderError, Option } from 'commander'
import { ERRORS, VipswapError, errorMessage } from '../core/errors.ts'
import { ownVersion } from '../core/version.ts'
import { SLOTS } from '../model/slot.ts'
import { completionVerb, runCompletion } from './commands/completion.ts'
import { configureVerbs } from './commands/configure.ts'
import { deployVerb } from './commands/deploy.ts'
import { explainVerb } from './commands/explain.ts'
import { healthVerbs } from './commands/health.ts'
import { historyVerbs } from './commands/history.ts'
import { lifecycleVerbs } from './commands/lifecycle.ts'
import { lookVerbs } from './commands/look.ts'
import { memberVerbs } from './commands/members.ts'
import { nodeVerbs } from './commands/nodes.ts'
import { packageVerbs } from './commands/packages.ts'
import { recoveryVerbs } from './commands/recovery.ts'
import { pauseVerbs } from './commands/pause.ts'
import { planVerbs } from './commands/plan.ts'
import { processVerbs, runProcess } from './commands/processes.ts'
import { signVerbs } from './commands/sign.ts'
import { swapVerb } from './commands/swap.ts'
import { trafficVerb } from './commands/traffic.ts'
import { upVerb } from './commands/up.ts'
import { upgradeVerbs } from './commands/upgrade.ts'
import { addExamples } from './examples.ts'
import { EXIT, exitCodeOf } from './exit-codes.ts'
import { jsonText, visible } from './print/visible.ts'
import { DEFAULT_ADMIN } from './session.ts'
import type { Terminal } from './terminal.ts'
import { duration, type VerbContext } from './verb.ts'

/** Runs one command line (without `node` and the script's name); answers its exit status, never throws. */
export async function runCli(argv: readonly string[], terminal: Terminal): Promise<number> {
  const direct = await runProcess(argv, terminal)
  if (direct !== null) return direct
  let exitCode: number = EXIT.done
  const { own, userCommand } = splitUserCommand(argv)
  const program = createProgram({ terminal, setExitCode: code => (exitCode = code), userCommand })
  const completed = await runCompletion(argv, program, terminal)
  if (completed !== null) return completed
  try {
    await program.parseAsync(own, { from: 'user' })
    return exitCode
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return EXIT.done
      // It has been said on standard error already.
      if (argv.includes('--json')) terminal.out(errorDocument('usage', error.message.replace(/^error: /, '')))
      return EXIT.usage
    }
    report(error, argv.includes('--json'), terminal)
    return exitCodeOf(error)
  }
}

/** All verbs, not run yet. */
export function createProgram(context: VerbContext): Command {
  const { terminal } = context
  const program = new Command('vipswap')
    .description('A front door and a small fabric for services that change without their callers noticing')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: text => terminal.out(text.trimEnd()),
      writeErr: text => terminal.err(text),
      // What follows says what to do next, on the same line.
      outputError: (text, write) => write(`${text.trim().replaceAll(/\s*\n\s*/g, ' ')} `),
    })
    .showHelpAfterError('(vipswap help VERB says more)')
    .exitOverride()
    .version(ownVersion(), '--version', 'this version of vipswap')
    .option('--service <name>', 'which service; needed only where there are several')
    .addOption(new Option('--slot <slot>', 'which slot, where a verb has one (default: production)').choices(SLOTS))
    .option('--json', 'results as JSON documents that name their schema')
    .option('--admin <url>', `where the controller is (default: $VIPSWAP_ADMIN or ${DEFAULT_ADMIN})`)
    .option('--token <token>', 'bearer token (default: $VIPSWAP_TOKEN)')
    .option('--ca <file>', 'authority of an https controller (default: $VIPSWAP_CACERT, else those of Node)')
    .option('--client-cert <file>', 'client certificate, instead of a token (default: $VIPSWAP_CLIENT_CERT)')
    .option('--client-key <file>', 'its private key (default: $VIPSWAP_CLIENT_KEY)')
    .option('--idempotency-key <key>', 'makes a retry of the same change safe')
    .option('--no-wait', 'print the operation and do not wait for its end')
    .option('--timeout <duration>', 'wait no longer than this, for example 5m', duration)
    .option('--quiet', 'no progress and no notes')
  upVerb(program, context)
  processVerbs(program)
  deployVerb(program, context)
  swapVerb(program, context)
  upgradeVerbs(program, context)
  configureVerbs(program, context)
  lifecycleVerbs(program, context)
  nodeVerbs(program, context)
  memberVerbs(program, context)
  pauseVerbs(program, context)
  recoveryVerbs(program, context)
  planVerbs(program, context)
  lookVerbs(program, context)
  healthVerbs(program, context)
  historyVerbs(program, context)
  trafficVerb(program, context)
  packageVerbs(program, context)
  signVerbs(program, context)
  explainVerb(program, context)
  completionVerb(program, context)
  addExamples(program)
  return program
}

/** `up … -- COMMAND …`: whatever follows is none of our words. */
function splitUserCommand(argv: readonly string[]): { own: string[]; userCommand: string[] } {
  const end = argv.indexOf('--')
  if (end === -1 || !argv.slice(0, end).includes('up')) return { own: [...argv], userCommand: [] }
  return { own: argv.slice(0, end), userCommand: argv.slice(end + 1) }
}

/** One line that says what was wrong and what to do; what else blocks, a line each. */
function report(thrown: unknown, json: boolean, terminal: Terminal): void {
  const error = thrown instanceof VipswapError ? thrown : new VipswapError('internal', errorMessage(thrown))
  const { code, message, details } = error
  if (json) terminal.out(errorDocument(code, message, details))
  // A single thing in the way is the message itself.
  const further = furtherLines(details).filter(line => line !== `${message} [${code}]`)
  // A message that is the list itself is not said twice.
  const listed = further.length > 0 && further.every(line => message.includes(line))
  const head = listed ? `${further.length === 1 ? 'one fault' : `${further.length} faults`} to correct` : message
  terminal.err(`vipswap: ${visible(head)} [${code}]\n`)
  for (const line of further) terminal.err(`  ${visible(line)}\n`)
  if (!(thrown instanceof VipswapError) && thrown instanceof Error && thrown.stack !== undefined) {
    terminal.err(`${thrown.stack}\n`)
  }
}

function errorDocument(code: string, message: string, details: object = {}): string {
  return jsonText({ schema: 'vipswap.error/1', code, message, ...details })
}

function furtherLines({ blockers, faults }: Readonly<Record<string, unknown>>): string[] {
  const lines: string[] = []
  for (const each of [
    ...(Array.isArray(blockers) ? blockers : []),
    ...(Array.isArray(faults) ? faults : []),
  ] as unknown[]) {
    if (typeof each === 'string') lines.push(each)
    else if (typeof each === 'object' && each !== null && 'message' in each) {
      const code =
        'code' in each && typeof each.code === 'string' && Object.hasOwn(ERRORS, each.code) ? ` [${each.code}]` : ''
      lines.push(`${String(each.message)}${code}`)
    }
  }
  return lines
}
