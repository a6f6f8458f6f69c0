import type { Command } from 'commander'
import type { PlanView } from '../../contracts/api/plan.ts'
import { EXIT } from '../exit-codes.ts'
import type { Session } from '../session.ts'
import { planText } from '../print/plan.ts'
import { act, type VerbContext } from '../verb.ts'
import { upload } from './deploy.ts'
import { swapBody, swapOptions, type SwapFlags } from './swap.ts'
import { upgradeBody, upgradeOptions, type UpgradeFlags } from './upgrade.ts'

/** `plan swap`, `plan upgrade`: what would happen. Exit status 0 nothing to do, 2 changes, 1 refused. */
export function planVerbs(program: Command, context: VerbContext): void {
  const plan = program.command('plan').description('say what would happen, change nothing')
  const swap = swapOptions(plan.command('swap').description('what a swap, or one phase of it, would do'))
  act<SwapFlags>(swap, context, async (session, flags, [phase]) => {
    const body = { swap: swapBody(flags, phase) }
    print(session, await session.client.plan(await session.service(), session.slot, body))
  })
  const upgrade = upgradeOptions(plan.command('upgrade <package>').description('what an upgrade would do'))
  act<UpgradeFlags>(upgrade, context, async (session, flags, [path = '']) => {
    const options = await upgradeBody(flags)
    const { digest, name } = await upload(session, path)
    const service = session.flags.service ?? name
    print(session, await session.client.plan(service, session.slot, { upgrade: { package: digest, ...options } }))
  })
}

const ENDINGS = { none: EXIT.done, changes: EXIT.usage, refused: EXIT.failed } as const satisfies Record<
  PlanView['outcome'],
  number
>

function print(session: Session, plan: PlanView): void {
  session.exitCode = ENDINGS[plan.outcome]
  session.result('plan', plan, () => planText(plan))
}
