import type { Command } from 'commander'
import { finish } from '../finish.ts'
import { act, type VerbContext } from '../verb.ts'

/** `suspend`, `start`, `delete`, `reboot`, `reimage`. */
export function lifecycleVerbs(program: Command, context: VerbContext): void {
  const suspend = program.command('suspend').description('stop a deployment; its addresses answer 503 meanwhile')
  const start = program.command('start').description('start a suspended deployment')
  for (const [command, status] of [
    [suspend, 'Suspended'],
    [start, 'Running'],
  ] as const) {
    act(command, context, async session => {
      const service = await session.service()
      await finish(session, await session.client.setStatus(service, session.slot, { status }, session.how))
    })
  }

  const remove = program
    .command('delete')
    .description('drain and delete the deployment in a slot')
    .option('--all', 'the service itself with its addresses; both slots must be empty')
  act<{ all?: boolean }>(remove, context, async (session, { all }) => {
    const { client, slot, how } = session
    const service = await session.service()
    await finish(session, await (all === true ? client.deleteService(service, how) : client.delete(service, slot, how)))
  })

  for (const [kind, description] of [
    ['reboot', 'drain one instance and start its process again'],
    ['reimage', 'drain one instance and start it on fresh files'],
  ] as const) {
    const command = program.command(`${kind} <instance>`).description(description)
    act(command, context, async (session, _flags, [instance = '']) => {
      const service = await session.service()
      await finish(session, await session.client.restart(kind, service, session.slot, instance, session.how))
    })
  }
}
