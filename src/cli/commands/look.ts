import type { Command } from 'commander'
import type { ServiceView } from '../../contracts/api/service.ts'
import { serviceText } from '../print/service.ts'
import { recoveryNotice } from '../print/recovery.ts'
import type { Session } from '../session.ts'
import { act, type VerbContext } from '../verb.ts'
import { watchStatus } from '../watch-status.ts'

/** `status`. */
export function lookVerbs(program: Command, context: VerbContext): void {
  const status = program
    .command('status')
    .description('services, slots, instances and what runs')
    .option('-w, --watch', 'redraw in place whenever something changed, with a grid of upgrade domains')
  act<{ watch?: boolean }>(status, context, async (session, { watch }) => {
    if (watch === true)
      await watchStatus(
        session,
        async () => read(session),
        services => print(session, services),
      )
    else {
      const [services, { recovery }] = await Promise.all([read(session), session.client.recovery()])
      const notice = recoveryNotice(recovery)
      if (notice !== null) session.note(notice)
      print(session, services)
    }
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
