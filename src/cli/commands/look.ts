import type { Command } from 'commander'
import { setTimeout as delay } from 'node:timers/promises'
import type { ServiceView } from '../../contracts/api/service.ts'
import { EXIT } from '../exit-codes.ts'
import { serviceText } from '../print/service.ts'
import type { Session } from '../session.ts'
import { act, type VerbContext } from '../verb.ts'

const WATCH_MS = 1000

/** `status`. */
export function lookVerbs(program: Command, context: VerbContext): void {
  const status = program
    .command('status')
    .description('services, slots, instances and what runs')
    .option('-w, --watch', 'print again whenever something changed')
  act<{ watch?: boolean }>(status, context, async (session, { watch }) => {
    if (watch === true) await watchStatus(session)
    else print(session, await read(session))
  })
}

async function read({ client, flags }: Session): Promise<readonly ServiceView[]> {
  return flags.service === undefined ? client.services() : [await client.service(flags.service)]
}

function print(session: Session, services: readonly ServiceView[]): void {
  session.result('status', { services }, () =>
    services.length === 0
      ? 'no service yet; deploy one with "vipswap deploy PACKAGE"'
      : services.map(serviceText).join('\n\n'),
  )
}

async function watchStatus(session: Session): Promise<void> {
  const { signal, done } = session.interruptible()
  let seen = ''
  try {
    while (!signal.aborted) {
      const services = await read(session)
      const text = JSON.stringify(services)
      if (text !== seen) {
        if (session.terminal.redraws && session.flags.json !== true) session.terminal.err('\u001b[H\u001b[2J')
        print(session, services)
      }
      seen = text
      await delay(WATCH_MS, null, { signal }).catch(() => undefined)
    }
    session.exitCode = EXIT.interrupted
  } finally {
    done()
  }
}
