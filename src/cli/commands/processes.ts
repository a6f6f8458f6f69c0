import type { Command } from 'commander'
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { constants } from 'node:os'
import { EXIT } from '../exit-codes.ts'
import { builtPrograms } from '../programs.ts'
import type { Terminal } from '../terminal.ts'

const VERBS = {
  controller:
    'the controller by itself: [--data DIR] [--run DIR] [--admin HOST:PORT] [--config FILE] [--token-file FILE] [--tls-cert FILE --tls-key FILE [--client-ca FILE]] [--links HOST:PORT]',
  proxy:
    'a proxy by itself: --data DIR --run DIR [--id NAME] [--workers N]; of a controller on another machine --data DIR --controller https://HOST:PORT [--join TOKEN] [--id NAME] [--workers N]; or --replace [--data DIR] [--id NAME] [--workers N] [--drain-timeout 5m]: the running one starts its successor, and nobody is refused',
  agent:
    'a node agent by itself: --data DIR --run DIR --node NAME [--host ADDRESS] [--advertise ADDRESS] [--cores N] [--fault-domain N] [--upgrade-domain N] [--trusted-keys FILE] [--cgroup DIR] [--replace]; of a controller on another machine --controller https://HOST:PORT [--join TOKEN] instead of --run DIR',
} as const

/** `controller`, `proxy`, `agent`, for the help text; `runProcess` runs them before commander looks. */
export function processVerbs(program: Command): void {
  for (const [verb, description] of Object.entries(VERBS)) {
    program.command(`${verb} [arguments...]`).description(description).allowUnknownOption()
  }
}

/** Runs one of those processes with all the arguments as they are, in the foreground; null for any other verb. */
export async function runProcess([verb, ...args]: readonly string[], terminal: Terminal): Promise<number | null> {
  if (verb !== 'controller' && verb !== 'proxy' && verb !== 'agent') return null
  if (args.includes('--help') || args.includes('-h')) return null
  const script = builtPrograms()[verb]
  if (!existsSync(script)) {
    terminal.err(`vipswap: ${script} is not there; run "npm run build" first\n`)
    return EXIT.failed
  }
  const child = spawn(process.execPath, [script, ...args], { stdio: 'inherit' })
  // A terminal's Ctrl-C reaches the child itself; this process only waits for it.
  const done = terminal.onInterrupt(signal => {
    if (signal === 'SIGTERM') child.kill(signal)
  })
  try {
    return await new Promise<number>((resolve, reject) => {
      child.once('error', reject)
      child.once('exit', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])))
    })
  } finally {
    done()
  }
}
