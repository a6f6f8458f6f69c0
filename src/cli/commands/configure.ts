import type { Command } from 'commander'
import { VipswapError } from '../../core/errors.ts'
import type { UpgradeMode } from '../../model/states.ts'
import { finish } from '../finish.ts'
import { readConfigurationFile } from '../written-files.ts'
import { act, modeOption, type VerbContext } from '../verb.ts'

/** `config apply`, `scale`. */
export function configureVerbs(program: Command, context: VerbContext): void {
  const config = program.command('config').description('the configuration of a deployment')
  const apply = config.command('apply <file>').description('apply a service configuration without a new package')
  apply.addOption(modeOption())
  act<{ mode?: UpgradeMode }>(apply, context, async (session, { mode }, [path = '']) => {
    const configuration = await readConfigurationFile(path)
    const service = await session.service()
    await finish(
      session,
      await session.client.configure(
        service,
        session.slot,
        { configuration, ...(mode === undefined ? {} : { mode }) },
        session.how,
      ),
    )
  })

  const scale = program.command('scale <role=count...>').description('change how many instances roles have')
  act(scale, context, async (session, _flags, args) => {
    const roles = Object.fromEntries(args.map(parseScale))
    const service = await session.service()
    await finish(
      session,
      await session.client.configure(service, session.slot, { configuration: { roles } }, session.how),
    )
  })
}

function parseScale(text: string): [role: string, change: { instances: number }] {
  const [, role, instances] = /^([A-Za-z][\w-]*)=(\d{1,5})$/.exec(text) ?? []
  if (role === undefined) throw new VipswapError('usage', `"${text}": write ROLE=NUMBER, for example web=4`)
  return [role, { instances: Number(instances) }]
}
