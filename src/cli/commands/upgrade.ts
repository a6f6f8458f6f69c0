import type { Command } from 'commander'
import { VipswapError } from '../../core/errors.ts'
import type { UpgradeBody } from '../../contracts/api/bodies.ts'
import type { UpgradeMode } from '../../model/states.ts'
import { finish } from '../finish.ts'
import { readConfigurationFile, readPolicy } from '../written-files.ts'
import { act, count, modeOption, type VerbContext } from '../verb.ts'
import { upload } from './deploy.ts'

export interface UpgradeFlags {
  readonly mode?: UpgradeMode
  readonly policy?: string
  readonly role?: string
  readonly config?: string
  readonly label?: string
  readonly force?: boolean
  readonly restartUnchanged?: boolean
  readonly overlap?: boolean
  readonly verify?: boolean
  /** False with `--no-role-changes`. */
  readonly roleChanges?: boolean
}

/** `upgrade`, `upgrade set`, `walk`, `rollback`. */
export function upgradeVerbs(program: Command, context: VerbContext): void {
  const upgrade = upgradeOptions(
    program.command('upgrade').argument('[package]').description('upgrade in place, one upgrade domain after another'),
  )
  act<UpgradeFlags>(upgrade, context, async (session, flags, [path]) => {
    if (path === undefined) throw new VipswapError('usage', 'which package? write "vipswap upgrade PACKAGE"')
    const options = await upgradeBody(flags)
    const { digest, name } = await upload(session, path)
    const service = session.flags.service ?? name
    await finish(
      session,
      await session.client.upgrade(service, session.slot, { package: digest, ...options }, session.how),
    )
  })

  const change = upgrade.command('set').description('change the upgrade that runs (--mode, --policy)')
  act<UpgradeFlags>(change, context, async (session, { mode, policy }) => {
    if (mode === undefined && policy === undefined) {
      throw new VipswapError('usage', 'what should change? write "vipswap upgrade set --mode MODE" or "--policy FILE"')
    }
    const body = {
      ...(mode === undefined ? {} : { mode }),
      ...(policy === undefined ? {} : { policy: await readPolicy(policy) }),
    }
    await finish(session, await session.client.changeUpgrade(await session.service(), session.slot, body, session.how))
  })

  const walk = program
    .command('walk')
    .description('upgrade one domain of a running upgrade; default: the next')
    .option('--domain <number>', 'this domain', count)
  act<{ domain?: number }>(walk, context, async (session, { domain }) => {
    const body = domain === undefined ? {} : { domain }
    await finish(session, await session.client.walk(await session.service(), session.slot, body, session.how))
  })

  const rollback = program
    .command('rollback')
    .description('undo a running upgrade, domain by domain')
    .addOption(modeOption().choices(['auto', 'manual']))
  act<{ mode?: 'auto' | 'manual' }>(rollback, context, async (session, { mode }) => {
    const body = mode === undefined ? {} : { mode }
    await finish(session, await session.client.rollback(await session.service(), session.slot, body, session.how))
  })
}

/** Options of an upgrade, also of its plan. */
export function upgradeOptions(command: Command): Command {
  return command
    .addOption(modeOption())
    .option('--policy <file>', 'how health is judged: a policy file, default or service-fabric')
    .option('--role <name>', 'only this role')
    .option('--config <file>', 'a service configuration; default: the latest accepted')
    .option('--label <text>', 'a name for people')
    .option('--force', 'go on although local data may be lost')
    .option('--restart-unchanged', 'upgrade roles that did not change, too')
    .option('--no-role-changes', 'keep roles that the package lacks, refuse changed ones')
    .option('--verify', 'with probe traffic of its own; the first loss rolls it back')
    .option('--overlap', 'over a running upgrade: begin at once, even if a second domain goes down (as Azure does)')
}

export async function upgradeBody(flags: UpgradeFlags): Promise<Omit<UpgradeBody, 'package'>> {
  const { mode, policy, role, label, force, restartUnchanged, overlap, roleChanges } = flags
  return {
    ...(mode === undefined ? {} : { mode }),
    ...(policy === undefined ? {} : { policy: await readPolicy(policy) }),
    ...(role === undefined ? {} : { role }),
    ...(label === undefined ? {} : { label }),
    ...(force === undefined ? {} : { force }),
    ...(restartUnchanged === undefined ? {} : { restartUnchanged }),
    ...(overlap === undefined ? {} : { overlap }),
    ...(flags.verify === true ? { verify: true } : {}),
    ...(roleChanges === false ? { allowRoleChanges: false } : {}),
    ...(flags.config === undefined ? {} : { configuration: await readConfigurationFile(flags.config) }),
  }
}
